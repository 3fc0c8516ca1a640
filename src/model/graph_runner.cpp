#include "mobileone/model/graph_runner.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <variant>

#include "mobileone/model/graph_arrays.h"

namespace mobileone {
namespace {

/// Products of 8-bit numbers whose sum float32 holds exactly: 512 · 255 · 127 < 2^24.
constexpr int64_t kExactProducts = 512;

float overlap(const at::Tensor& a, const at::Tensor& b) {
  const auto area = [](const at::Tensor& box) {
    return (box.slice(0, 2) - box.slice(0, 0, 2)).prod();
  };
  const auto both =
      (at::minimum(a, b).slice(0, 2) - at::maximum(a, b).slice(0, 0, 2)).clamp_min(0).prod();
  return (both / (area(a) + area(b) - both)).item<float>();
}

/// [C] beside the channels of [N,C,...].
at::Tensor beside(const at::Tensor& channels, int64_t dimensions) {
  std::vector<int64_t> shape(static_cast<size_t>(dimensions), 1);
  shape[1] = -1;
  return channels.view(shape);
}

}  // namespace

at::Tensor round_to(const graph::Grid& grid, const at::Tensor& x) {
  const at::Tensor levels = (x / grid.scale).round_().clamp_(-grid.zero, 255 - grid.zero);
  return levels * grid.scale;
}

GraphRunner::GraphRunner(const graph::Graph& graph) : graph_(graph) {}

std::vector<at::Tensor> GraphRunner::operator()(const at::Tensor& images) {
  start(images);
  for (const auto& node : graph_.nodes) step(node);
  std::vector<at::Tensor> outputs;
  for (const auto& output : graph_.outputs) outputs.push_back(values_[output.value.id]);
  return outputs;
}

void GraphRunner::start(const at::Tensor& images) {
  values_.assign(static_cast<size_t>(graph_.values), {});
  const graph::Grid* grid = graph_.grid_of(graph_.input.value);
  values_[graph_.input.value.id] = grid == nullptr ? images : round_to(*grid, images);
}

void GraphRunner::compute(const graph::Node& node) {
  node_ = &node;
  values_[node.output.id] = std::visit(*this, node.operation);
}

void GraphRunner::finish(const graph::Node& node) {
  at::Tensor& y = values_[node.output.id];
  if (node.relu) y = y.relu();
  const graph::Grid* grid = graph_.grid_of(node.output);
  if (grid != nullptr) y = round_to(*grid, y);
}

at::Tensor GraphRunner::operator()(const graph::Conv& o) const {
  if (is_integer(o.weight)) {
    const at::Tensor bias =
        bias_levels(graph_, o.bias, o.weight, *graph_.grid_of(node_->inputs[0]));
    return of_sums(integer_sums(o) + beside(bias, 4), at::tensor(graph_.scales.at(o.weight.id)));
  }
  return at::conv2d(in(0), parameter(o.weight), parameter(o.bias), o.stride, o.padding, o.dilation,
                    o.groups);
}

at::Tensor GraphRunner::operator()(const graph::Linear& o) const {
  if (is_integer(o.weight)) {
    const at::Tensor sums =
        at::linear(levels(0).to(at::kDouble), weight_levels(graph_, o.weight),
                   bias_levels(graph_, o.bias, o.weight, *graph_.grid_of(node_->inputs[0])));
    return of_sums(sums, at::tensor(graph_.scales.at(o.weight.id)));
  }
  return at::linear(in(0), parameter(o.weight), parameter(o.bias));
}

at::Tensor GraphRunner::operator()(const graph::GlobalMean& o) const {
  if (graph_.grid_of(node_->inputs[0]) == nullptr) return in(0).mean({2, 3}, o.keep_sizes);
  const at::Tensor sums = levels(0).to(at::kDouble).sum({2, 3}, o.keep_sizes);
  return of_sums(
      sums, at::full({1}, 1.0 / static_cast<double>(in(0).size(2) * in(0).size(3)), at::kFloat));
}

at::Tensor GraphRunner::operator()(graph::Sigmoid) const { return in(0).sigmoid(); }
at::Tensor GraphRunner::operator()(graph::Multiply) const { return in(0) * in(1); }
at::Tensor GraphRunner::operator()(graph::Add) const { return in(0) + in(1); }

at::Tensor GraphRunner::operator()(graph::Concat) const {
  std::vector<at::Tensor> parts;
  for (size_t i = 0; i < node_->inputs.size(); ++i) parts.push_back(in(i));
  return at::cat(parts, 1);
}

at::Tensor GraphRunner::operator()(const graph::PerAnchor& o) const {
  const at::Tensor cells = in(0).permute({0, 2, 3, 1});
  return cells.reshape({cells.size(0), -1, cells.size(3) / o.anchors});
}

at::Tensor GraphRunner::operator()(graph::Resize) const {
  return at::upsample_bilinear2d(in(0), in(1).sizes().slice(2), /*align_corners=*/false);
}

at::Tensor GraphRunner::operator()(graph::Softmax o) const { return in(0).softmax(o.axis); }

at::Tensor GraphRunner::operator()(const graph::DecodeBoxes& o) const {
  const auto anchors = tensor_of(o.anchors).to(in(0).scalar_type());
  const auto sides = anchors.slice(1, 2, 4), centres = anchors.slice(1, 0, 2);
  const auto middle = in(0).slice(2, 0, 2) * o.variances[0] * sides + centres;
  const auto half =
      (in(0).slice(2, 2, 4) * o.variances[1]).clamp_max(graph::kMostLogSide).exp() * sides / 2;
  const auto limits = at::tensor({o.width, o.height, o.width, o.height});
  return at::minimum(at::cat({middle - half, middle + half}, 2).clamp_min(0), limits);
}

at::Tensor GraphRunner::operator()(const graph::Suppress& o) const {
  std::vector<at::Tensor> rows;
  for (int64_t label = 0; label + 1 < in(1).size(2); ++label) {
    const auto scores = in(1)[0].select(1, label + 1);
    const auto order = scores.argsort(/*stable=*/true, /*dim=*/0, /*descending=*/true);
    std::vector<at::Tensor> kept;
    for (int64_t i = 0; i < std::min(o.candidates, order.size(0)); ++i) {
      const auto place = order[i].item<int64_t>();
      if (!(scores[place].item<float>() > o.score)) break;
      const auto box = in(0)[0][place];
      const bool is_free = std::ranges::none_of(
          kept, [&](const at::Tensor& other) { return overlap(box, other) > o.iou; });
      if (!is_free) continue;
      kept.push_back(box);
      rows.push_back(at::cat({box, scores[place].view(1), at::full({1}, label)}));
    }
  }
  if (rows.empty()) return at::zeros({0, 6});
  const auto all = at::stack(rows);
  return all.index_select(0, all.select(1, 4).argsort(true, 0, true).slice(0, 0, o.detections));
}

at::Tensor GraphRunner::operator()(graph::ArgMax) const { return in(0).argmax(1).to(at::kByte); }

at::Tensor GraphRunner::operator()(const graph::Normalize& o) const {
  const auto levels = [](const std::vector<float>& v) { return at::tensor(v).view({-1, 1, 1}); };
  return (in(0).permute({0, 3, 1, 2}).to(at::kFloat) - levels(o.mean)) / levels(o.std);
}

at::Tensor GraphRunner::parameter(graph::Parameter p) const {
  return tensor_of(graph_[p], in(0).scalar_type());
}

bool GraphRunner::is_integer(graph::Parameter weight) const {
  return graph_.scales.contains(weight.id) && graph_.grid_of(node_->inputs[0]) != nullptr;
}

/// q − zero of an input that is on a grid.
at::Tensor GraphRunner::levels(size_t input) const {
  return (in(input) / graph_.grid_of(node_->inputs[input])->scale).round();
}

/// Sums of products of integers without the bias, float64. Products are summed in float32, so many
/// at a time that it is exact.
at::Tensor GraphRunner::integer_sums(const graph::Conv& o) const {
  const at::Tensor x = levels(0).to(at::kFloat), w = weight_levels(graph_, o.weight).to(at::kFloat);
  const int64_t taps = w.size(2) * w.size(3), channels = w.size(1);
  const int64_t part = std::max<int64_t>(1, kExactProducts / taps);
  const auto conv = [&](const at::Tensor& some, const at::Tensor& own) {
    return at::conv2d(some, own, {}, o.stride, o.padding, o.dilation, o.groups);
  };
  if (o.groups > 1 || channels <= part) return conv(x, w).to(at::kDouble);
  at::Tensor sums;
  for (int64_t first = 0; first < channels; first += part) {
    const int64_t end = std::min(first + part, channels);
    const at::Tensor own = conv(x.slice(1, first, end), w.slice(1, first, end)).to(at::kDouble);
    sums = sums.defined() ? sums.add_(own) : own;
  }
  return sums;
}

/// What a node gives of its integer sums; `scales` are those of its weights, float32 [C] or [1]. On
/// a grid, a sum is multiplied once, in float32, and rounded.
at::Tensor GraphRunner::of_sums(const at::Tensor& sums, const at::Tensor& scales) const {
  const at::Tensor of_product = scales * graph_.grid_of(node_->inputs[0])->scale;
  const graph::Grid* grid = graph_.grid_of(node_->output);
  if (grid == nullptr) return sums.to(at::kFloat) * beside(of_product, sums.dim());
  const at::Tensor factor = of_product / grid->scale;
  return (sums.to(at::kFloat) * beside(factor, sums.dim())).round_() * grid->scale;
}

}  // namespace mobileone
