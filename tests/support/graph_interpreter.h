#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "mobileone/graph/graph.h"

namespace mobileone {

inline at::Tensor tensor_of(const graph::Array& array) {
  return at::from_blob(const_cast<float*>(array.values.get()), array.shape, at::kFloat).clone();
}

/// A graph computed by LibTorch's operations, one by one, in float64 if `images` are.
class GraphInterpreter {
 public:
  explicit GraphInterpreter(const graph::Graph& graph) : graph_(graph) {}

  std::vector<at::Tensor> operator()(const at::Tensor& images) {
    values_.assign(graph_.values, {});
    values_[graph_.input.value.id] = images;
    for (const auto& node : graph_.nodes) {
      node_ = &node;
      const at::Tensor y = std::visit(*this, node.operation);
      values_[node.output.id] = node.relu ? y.relu() : y;
    }
    std::vector<at::Tensor> outputs;
    for (const auto& output : graph_.outputs) outputs.push_back(values_[output.value.id]);
    return outputs;
  }

  at::Tensor operator()(const graph::Conv& o) const {
    return at::conv2d(in(0), parameter(o.weight), parameter(o.bias), o.stride, o.padding,
                      o.dilation, o.groups);
  }
  at::Tensor operator()(const graph::Linear& o) const {
    return at::linear(in(0), parameter(o.weight), parameter(o.bias));
  }
  at::Tensor operator()(const graph::GlobalMean& o) const {
    return in(0).mean({2, 3}, o.keep_sizes);
  }
  at::Tensor operator()(graph::Sigmoid) const { return in(0).sigmoid(); }
  at::Tensor operator()(graph::Multiply) const { return in(0) * in(1); }
  at::Tensor operator()(graph::Add) const { return in(0) + in(1); }
  at::Tensor operator()(graph::Concat) const {
    std::vector<at::Tensor> parts;
    for (size_t i = 0; i < node_->inputs.size(); ++i) parts.push_back(in(i));
    return at::cat(parts, 1);
  }
  at::Tensor operator()(const graph::PerAnchor& o) const {
    const at::Tensor cells = in(0).permute({0, 2, 3, 1});
    return cells.reshape({cells.size(0), -1, cells.size(3) / o.anchors});
  }
  at::Tensor operator()(graph::Resize) const {
    return at::upsample_bilinear2d(in(0), in(1).sizes().slice(2), /*align_corners=*/false);
  }
  at::Tensor operator()(graph::Softmax o) const { return in(0).softmax(o.axis); }
  at::Tensor operator()(const graph::DecodeBoxes& o) const {
    const auto anchors = tensor_of(o.anchors).to(in(0).scalar_type());
    const auto sides = anchors.slice(1, 2, 4), centres = anchors.slice(1, 0, 2);
    const auto middle = in(0).slice(2, 0, 2) * o.variances[0] * sides + centres;
    const auto half =
        (in(0).slice(2, 2, 4) * o.variances[1]).clamp_max(graph::kMostLogSide).exp() * sides / 2;
    const auto limits = at::tensor({o.width, o.height, o.width, o.height});
    return at::minimum(at::cat({middle - half, middle + half}, 2).clamp_min(0), limits);
  }
  /// Row by row, each against those that are kept.
  at::Tensor operator()(const graph::Suppress& o) const {
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
  at::Tensor operator()(graph::ArgMax) const { return in(0).argmax(1).to(at::kByte); }
  at::Tensor operator()(const graph::Normalize& o) const {
    const auto levels = [](const std::vector<float>& v) { return at::tensor(v).view({-1, 1, 1}); };
    return (in(0).permute({0, 3, 1, 2}).to(at::kFloat) - levels(o.mean)) / levels(o.std);
  }

 private:
  static float overlap(const at::Tensor& a, const at::Tensor& b) {
    const auto area = [](const at::Tensor& box) {
      return (box.slice(0, 2) - box.slice(0, 0, 2)).prod();
    };
    const auto both =
        (at::minimum(a, b).slice(0, 2) - at::maximum(a, b).slice(0, 0, 2)).clamp_min(0).prod();
    return (both / (area(a) + area(b) - both)).item<float>();
  }
  const at::Tensor& in(size_t i) const { return values_[node_->inputs[i].id]; }
  at::Tensor parameter(graph::Parameter p) const {
    return tensor_of(graph_[p]).to(values_[node_->inputs[0].id].scalar_type());
  }

  const graph::Graph& graph_;
  const graph::Node* node_ = nullptr;
  std::vector<at::Tensor> values_;
};

}  // namespace mobileone
