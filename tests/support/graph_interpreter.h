#pragma once

#include <ATen/ATen.h>

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
  at::Tensor operator()(graph::Softmax) const { return in(0).softmax(1); }
  at::Tensor operator()(graph::ArgMax) const { return in(0).argmax(1).to(at::kByte); }
  at::Tensor operator()(const graph::Normalize& o) const {
    const auto levels = [](const std::vector<float>& v) { return at::tensor(v).view({-1, 1, 1}); };
    return (in(0).permute({0, 3, 1, 2}).to(at::kFloat) - levels(o.mean)) / levels(o.std);
  }

 private:
  const at::Tensor& in(size_t i) const { return values_[node_->inputs[i].id]; }
  at::Tensor parameter(graph::Parameter p) const {
    return tensor_of(graph_[p]).to(values_[node_->inputs[0].id].scalar_type());
  }

  const graph::Graph& graph_;
  const graph::Node* node_ = nullptr;
  std::vector<at::Tensor> values_;
};

}  // namespace mobileone
