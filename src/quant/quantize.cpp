#include "mobileone/quant/quantize.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <variant>

#include "mobileone/model/graph_arrays.h"
#include "mobileone/model/graph_runner.h"
#include "mobileone/quant/equalize.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

/// The values that are stored in 8 bits: what layers take, and what these are made of.
std::set<graph::Value> values_on_grids(const graph::Graph& graph,
                                       const std::set<int32_t>& weights) {
  std::set<graph::Value> found;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const auto parameters = graph::weight_and_bias(node->operation);
    const bool is_layer = parameters && weights.contains(parameters->weight.id);
    const bool passes = !parameters && found.contains(node->output) &&
                        !std::holds_alternative<graph::Normalize>(node->operation);
    if (is_layer || passes) found.insert(node->inputs.begin(), node->inputs.end());
  }
  return found;
}

/// The last node that takes each value.
std::map<graph::Value, const graph::Node*> last_nodes(const graph::Graph& graph) {
  std::map<graph::Value, const graph::Node*> last;
  for (const auto& node : graph.nodes) {
    for (const graph::Value input : node.inputs) last[input] = &node;
  }
  return last;
}

/// What a grid gives of `values` [n] loses, the mean square.
double loss(const graph::Grid& grid, const at::Tensor& values) {
  return (round_to(grid, values) - values).square().mean().item<double>();
}

graph::Grid grid_between(double least, double most) {
  const auto scale = static_cast<float>(std::max(most - least, 1e-8) / 255);
  return {scale, static_cast<int32_t>(std::lround(-least / scale))};
}

/// The grid of least squares, zero on it.
graph::Grid best_grid(const at::Tensor& values) {
  constexpr int64_t kMost = 400'000;  // are looked at
  constexpr double kSmallest = 0.4, kStep = 0.02;
  const double least = std::min(0.0, values.min().item<double>()),
               most = std::max(0.0, values.max().item<double>());
  at::Tensor some = values.flatten();
  some = some.slice(0, 0, {}, (some.numel() / kMost) | 1);
  graph::Grid best = grid_between(least, most);
  double best_loss = loss(best, some);
  for (double share = kSmallest; share < 1; share += kStep) {
    const graph::Grid grid = grid_between(share * least, share * most);
    const double own = loss(grid, some);
    if (own < best_loss) std::tie(best, best_loss) = std::pair(grid, own);
  }
  return best;
}

/// Whether each output is a product of the channels at one place.
bool is_pointwise(const graph::Graph& graph, const graph::Node& layer) {
  const graph::Shape& weight = graph[graph::weight_and_bias(layer.operation)->weight].shape;
  const auto* conv = std::get_if<graph::Conv>(&layer.operation);
  return conv == nullptr || (conv->groups == 1 && weight[2] == 1);
}

/// Computes a graph for batches of images, node by node.
class Batches {
 public:
  Batches(const graph::Graph& graph, const std::vector<at::Tensor>& images) {
    for (const at::Tensor& batch : images) runners_.emplace_back(graph).start(batch);
  }
  void compute(const graph::Node& node) {
    for (auto& runner : runners_) runner.compute(node);
  }
  void finish(const graph::Node& node) {
    for (auto& runner : runners_) runner.finish(node);
  }
  void drop(graph::Value value) {
    for (auto& runner : runners_) runner.drop(value);
  }
  /// All numbers of a value, [n].
  at::Tensor flat(graph::Value value) const {
    std::vector<at::Tensor> all;
    for (const auto& runner : runners_) all.push_back(runner[value].flatten());
    return at::cat(all);
  }
  /// Of [N,C,H,W] or [N,C], [C].
  at::Tensor channel_means(graph::Value value) const {
    at::Tensor sums = at::zeros({1}, at::kDouble);
    int64_t count = 0;
    for (const auto& runner : runners_) {
      const at::Tensor rows = runner[value].transpose(0, 1).flatten(1);
      sums = sums + rows.sum(1, false, at::kDouble);
      count += rows.size(1);
    }
    return sums / count;
  }
  /// Of the channels of [N,C,H,W] or [N,C], [C,C], over some of the places of each image; not
  /// defined where these are too few to tell.
  at::Tensor covariance(graph::Value value) const {
    constexpr int64_t kPlaces = 64, kFewest = 2;  // of an image; for each channel
    std::vector<at::Tensor> all;
    for (const auto& runner : runners_) {
      const at::Tensor rows = runner[value].transpose(0, 1).flatten(1);  // [C,N·H·W]
      const int64_t places = rows.size(1) / runner[value].size(0);
      all.push_back(rows.slice(1, 0, {}, places / kPlaces | 1));
    }
    const at::Tensor rows = at::cat(all, 1).to(at::kDouble);
    if (rows.size(1) < kFewest * rows.size(0)) return {};
    const at::Tensor centred = rows - rows.mean(1, true);
    return centred.mm(centred.t()) / centred.size(1);
  }

 private:
  std::vector<GraphRunner> runners_;
};

/// Rounds rows of weights in units of their scales [O,K] to integers so that what rounding one
/// column shifts is made up for by those that come later, for inputs of this covariance [K,K]:
/// GPTQ (Frantar et al. 2022, section 3).
at::Tensor round_together(at::Tensor rows, const at::Tensor& covariance, double most) {
  constexpr double kDamping = 1e-4;  // of the mean variance
  const int64_t columns = rows.size(1);
  const at::Tensor order = covariance.diagonal().argsort(/*dim=*/0, /*descending=*/true);
  at::Tensor h = covariance.index_select(0, order).index_select(1, order).clone();
  h.diagonal() += kDamping * h.diagonal().mean() + 1e-12;
  const at::Tensor upper = at::linalg_cholesky(at::linalg_inv(h), /*upper=*/true);
  rows = rows.index_select(1, order).contiguous();
  at::Tensor levels = at::empty_like(rows);
  for (int64_t i = 0; i < columns; ++i) {
    const at::Tensor column = rows.select(1, i), level = column.round().clamp(-most, most);
    levels.select(1, i).copy_(level);
    const at::Tensor error = (column - level) / upper[i][i];
    rows.slice(1, i + 1).sub_(at::outer(error, upper[i].slice(0, i + 1)));
  }
  return at::empty_like(levels).index_copy_(1, order, levels);
}

/// Rounds the weights of layers in place.
class WeightRounder {
 public:
  WeightRounder(graph::Graph& graph, bool per_tensor) : graph_(graph), per_tensor_(per_tensor) {}

  /// `covariance` is that of the inputs; not defined where each weight is rounded by itself.
  void round(const graph::Node& layer, const at::Tensor& covariance) {
    // Processors without VNNI add products in pairs, in 16 bits: 2 · 255 · 64 is the most that does
    // not saturate. Kernels of depthwise convolutions do not.
    constexpr double kMostOfPairs = 64, kMost = 127, kMostOfBias = 1 << 30;
    const auto [weight, bias] = *graph::weight_and_bias(layer.operation);
    const auto* conv = std::get_if<graph::Conv>(&layer.operation);
    const double most = conv != nullptr && conv->groups > 1 ? kMost : kMostOfPairs;
    const at::Tensor w = tensor_of(graph_[weight]);
    const double input = graph_.grids.at(layer.inputs[0].id).scale;
    at::Tensor scales = at::maximum(w.flatten(1).abs().amax(1) / most,
                                    tensor_of(graph_[bias]).abs() / (input * kMostOfBias));
    scales = scales.clamp_min(1e-12);
    if (per_tensor_) scales = scales.max().expand_as(scales);
    scales = scales.contiguous();
    const at::Tensor rows = w.flatten(1).to(at::kDouble) / scales.unsqueeze(1);
    const at::Tensor levels = covariance.defined() ? round_together(rows, covariance, most)
                                                   : rows.round().clamp(-most, most);
    graph_.parameters[weight.id].array = array_of((levels * scales.unsqueeze(1)).view_as(w));
    const float* first = scales.const_data_ptr<float>();
    graph_.scales[weight.id] = {first, first + scales.numel()};
  }

 private:
  graph::Graph& graph_;
  const bool per_tensor_;
};

double decibels(const at::Tensor& signal, const at::Tensor& other) {
  const double power = signal.square().mean().item<double>(),
               noise = (signal - other).square().mean().item<double>();
  return 10 * std::log10(power / std::max(noise, 1e-30));
}

}  // namespace

Quantized quantize(graph::Graph folded, const std::vector<at::Tensor>& images,
                   const QuantizeOptions& options) {
  const at::NoGradGuard no_grad;
  const graph::Graph exact = !options.equalize    ? std::move(folded)
                             : options.per_tensor ? equalize_weights(std::move(folded))
                                                  : equalize(std::move(folded), images);
  std::set<int32_t> weights;
  std::set<std::string> kept(options.keep_float.begin(), options.keep_float.end());
  for (const auto& node : exact.nodes) {
    const auto parameters = graph::weight_and_bias(node.operation);
    if (parameters && kept.erase(node.name) == 0) weights.insert(parameters->weight.id);
  }
  if (!kept.empty()) throw Error("{}: is no layer of the network", *kept.begin());
  Quantized result{.graph = exact, .layers = {}};
  graph::Graph& graph = result.graph;
  const auto on_grids = values_on_grids(graph, weights);
  const auto last_uses = last_nodes(graph);
  if (on_grids.contains(graph.input.value)) {
    std::vector<at::Tensor> all;
    for (const auto& batch : images) all.push_back(batch.flatten());
    graph.grids[graph.input.value.id] = best_grid(at::cat(all));
  }
  WeightRounder rounder(graph, options.per_tensor);
  Batches expected(exact, images), actual(graph, images);
  for (const auto& node : graph.nodes) {
    const auto parameters = graph::weight_and_bias(node.operation);
    const bool is_rounded = parameters && weights.contains(parameters->weight.id);
    if (is_rounded) {
      const bool together = is_pointwise(graph, node) && !options.per_tensor;
      rounder.round(node, together ? actual.covariance(node.inputs[0]) : at::Tensor());
    }
    expected.compute(node);
    if (is_rounded && options.correct_biases) {
      actual.compute(node);
      auto& bias = graph.parameters[parameters->bias.id].array;
      bias = array_of(tensor_of(bias) + expected.channel_means(node.output) -
                      actual.channel_means(node.output));
    }
    expected.finish(node);
    const at::Tensor y = expected.flat(node.output);
    if (on_grids.contains(node.output)) {
      const bool is_resized = std::holds_alternative<graph::Resize>(node.operation);
      graph.grids[node.output.id] = is_resized ? graph.grids.at(node.inputs[0].id) : best_grid(y);
    }
    actual.compute(node);
    actual.finish(node);
    if (is_rounded) result.layers.push_back({node.name, decibels(y, actual.flat(node.output))});
    for (const graph::Value input : node.inputs) {
      if (last_uses.at(input) != &node) continue;
      expected.drop(input);
      actual.drop(input);
    }
  }
  return result;
}

}  // namespace mobileone
