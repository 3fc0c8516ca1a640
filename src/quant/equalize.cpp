#include "mobileone/quant/equalize.h"

#include <ATen/ATen.h>

#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "mobileone/model/graph_arrays.h"
#include "mobileone/model/graph_runner.h"

namespace mobileone {
namespace {

/// The layers that take a value, or what passes a factor of a channel on: means, and what gates
/// multiply. Empty if anything else takes it.
class Takers {
 public:
  explicit Takers(const graph::Graph& graph) : graph_(graph) {
    for (const auto& node : graph.nodes) {
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        takers_[node.inputs[i]].push_back({&node, i});
      }
    }
    for (const auto& output : graph.outputs) takers_[output.value].push_back({nullptr, 0});
  }

  std::optional<std::vector<const graph::Node*>> of(graph::Value value) const {
    std::vector<const graph::Node*> layers;
    return collect(value, layers) ? std::optional(layers) : std::nullopt;
  }

 private:
  struct Taker {
    const graph::Node* node;  ///< null: it is an output of the network
    size_t input;
  };

  bool collect(graph::Value value, std::vector<const graph::Node*>& layers) const {
    const auto found = takers_.find(value);
    if (found == takers_.end()) return false;
    for (const auto& [node, input] : found->second) {
      if (node == nullptr) return false;
      const bool is_layer = graph::weight_and_bias(node->operation).has_value();
      const bool passes = std::holds_alternative<graph::GlobalMean>(node->operation) ||
                          (std::holds_alternative<graph::Multiply>(node->operation) && input == 0);
      if (is_layer) {
        layers.push_back(node);
      } else if (!passes || !collect(node->output, layers)) {
        return false;
      }
    }
    return true;
  }

  const graph::Graph& graph_;
  std::map<graph::Value, std::vector<Taker>> takers_;
};

bool is_depthwise(const graph::Node& node) {
  const auto* conv = std::get_if<graph::Conv>(&node.operation);
  return conv != nullptr && conv->groups > 1;
}

/// Of samples [C,n] what to cut each channel off at so that 8 bits lose least, the mean square;
/// [C].
at::Tensor best_ranges(const at::Tensor& samples, const at::Tensor& most) {
  constexpr double kLeast = 0.2, kStep = 0.04, kLevels = 255;
  at::Tensor best = most, best_loss;
  for (int64_t i = 0; 1 - i * kStep >= kLeast; ++i) {
    const at::Tensor range = (most * (1 - i * kStep)).clamp_min(1e-12),
                     scale = range.unsqueeze(1) / kLevels;
    const at::Tensor rounded = (samples / scale).round().clamp(-kLevels, kLevels) * scale,
                     loss = (rounded - samples).square().mean(1);
    if (!best_loss.defined()) best_loss = loss;
    best = at::where(loss < best_loss, range, best);
    best_loss = at::minimum(loss, best_loss);
  }
  return best;
}

/// The range of each channel of what each layer gives, [C].
std::map<graph::Value, at::Tensor> channel_ranges(const graph::Graph& graph,
                                                  const std::vector<at::Tensor>& images) {
  constexpr int64_t kSamples = 128;  // of a channel of an image
  std::map<graph::Value, at::Tensor> most;
  std::map<graph::Value, std::vector<at::Tensor>> samples;
  for (const at::Tensor& batch : images) {
    GraphRunner runner(graph);
    runner.start(batch);
    for (const auto& node : graph.nodes) {
      runner.step(node);
      const at::Tensor& y = runner[node.output];
      if (!graph::weight_and_bias(node.operation) || y.dim() != 4) continue;
      const at::Tensor rows = y.flatten(2);  // [N,C,H·W]
      const at::Tensor largest = rows.abs().amax({0, 2});
      auto& range = most[node.output];
      range = range.defined() ? at::maximum(range, largest) : largest;
      const int64_t step = rows.size(2) / kSamples | 1;
      samples[node.output].push_back(rows.slice(2, 0, {}, step).transpose(0, 1).flatten(1));
    }
  }
  std::map<graph::Value, at::Tensor> ranges;
  for (const auto& [value, largest] : most) {
    ranges[value] = best_ranges(at::cat(samples[value], 1), largest);
  }
  return ranges;
}

class Equalizer {
 public:
  explicit Equalizer(graph::Graph& graph) : graph_(graph), takers_(graph) {}

  /// Makes the channels of a layer's output, whose ranges are `ranges` [C], alike. Nothing where
  /// something else takes it.
  void equalize_outputs(const graph::Node& layer, const at::Tensor& ranges) {
    const auto takers = takers_.of(layer.output);
    if (!takers) return;
    auto dense = *takers;
    std::erase_if(dense, [](const auto* taker) { return is_depthwise(*taker); });
    divide(layer, *takers, ranges, dense.empty() ? ranges : (ranges / columns(dense)).sqrt());
  }

  /// Makes the largest weights of a layer's channels and of what takes them alike.
  void equalize_weights(const graph::Node& layer) {
    const auto takers = takers_.of(layer.output);
    if (!takers) return;
    const at::Tensor rows = tensor_of(graph_[weight_of(layer)]).flatten(1).abs().amax(1);
    divide(layer, *takers, rows, (rows / columns(*takers)).sqrt());
  }

 private:
  static constexpr double kNothing = 1e-9;  ///< weights and ranges are not taken for smaller

  /// Divides a layer's outputs by `factors` [C] and multiplies the layers that take them. Channels
  /// that are always zero, by `sizes`, become no larger than any other.
  void divide(const graph::Node& layer, const std::vector<const graph::Node*>& takers,
              const at::Tensor& sizes, at::Tensor factors) {
    constexpr double kLeast = 1e-6;  // of the largest
    factors = factors.clamp_min(kNothing);
    factors = at::where(sizes < kLeast * sizes.max(), factors.max(), factors);
    factors = factors / factors.mean();
    const auto [weight, bias] = *graph::weight_and_bias(layer.operation);
    set(weight, tensor_of(graph_[weight]) / factors.view({-1, 1, 1, 1}));
    set(bias, tensor_of(graph_[bias]) / factors);
    for (const auto* taker : takers) {
      const at::Tensor w = tensor_of(graph_[weight_of(*taker)]);
      const at::Tensor shaped = w.dim() == 2           ? factors
                                : is_depthwise(*taker) ? factors.view({-1, 1, 1, 1})
                                                       : factors.view({1, -1, 1, 1});
      set(weight_of(*taker), w * shaped);
    }
  }

  graph::Parameter weight_of(const graph::Node& layer) const {
    return graph::weight_and_bias(layer.operation)->weight;
  }

  /// The largest weight that each channel is multiplied by in any of these layers, [C].
  at::Tensor columns(const std::vector<const graph::Node*>& layers) const {
    at::Tensor largest;
    for (const auto* layer : layers) {
      const at::Tensor w = tensor_of(graph_[weight_of(*layer)]).abs();
      const at::Tensor own = (is_depthwise(*layer) ? w : w.transpose(0, 1)).flatten(1).amax(1);
      largest = largest.defined() ? at::maximum(largest, own) : own;
    }
    return largest.clamp_min(kNothing);
  }

  void set(graph::Parameter parameter, const at::Tensor& values) {
    graph_.parameters[parameter.id].array = array_of(values);
  }

  graph::Graph& graph_;
  const Takers takers_;
};

}  // namespace

graph::Graph equalize(graph::Graph graph, const std::vector<at::Tensor>& images) {
  const auto ranges = channel_ranges(graph, images);
  Equalizer equalizer(graph);
  for (const auto& node : graph.nodes) {
    const auto range = ranges.find(node.output);
    if (range != ranges.end()) equalizer.equalize_outputs(node, range->second);
  }
  return graph;
}

graph::Graph equalize_weights(graph::Graph graph) {
  constexpr int kRounds = 40;
  Equalizer equalizer(graph);
  for (int round = 0; round < kRounds; ++round) {
    for (const auto& node : graph.nodes) {
      if (std::holds_alternative<graph::Conv>(node.operation)) equalizer.equalize_weights(node);
    }
  }
  return graph;
}

}  // namespace mobileone
