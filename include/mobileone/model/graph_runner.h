#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "mobileone/graph/graph.h"

namespace mobileone {

/// Computes a graph by LibTorch's operations, one node after the other: in the floating-point type
/// of its images or, what is quantised, by the integer arithmetic of docs/int8.md, whose sums are
/// exact. Non-maximum suppression is row by row, slow.
class GraphRunner {
 public:
  /// `graph` must outlive it.
  explicit GraphRunner(const graph::Graph& graph);

  /// The outputs of the graph.
  std::vector<at::Tensor> operator()(const at::Tensor& images);

  // Or step by step: the images, then every node in the graph's order. The parameters' values may
  // change until the node that has them is computed.
  void start(const at::Tensor& images);
  void step(const graph::Node& node) {
    compute(node);
    finish(node);
  }
  /// The two halves of a step: the node's operation, as often as anything of it changed, and then
  /// its ReLU and its grid.
  void compute(const graph::Node& node);
  void finish(const graph::Node& node);
  /// In real numbers, also of a value that is stored in 8 bits.
  const at::Tensor& operator[](graph::Value value) const { return values_[value.id]; }
  /// Frees the memory of a value that no node takes any more.
  void drop(graph::Value value) { values_[value.id].reset(); }

  // The operations, of the inputs of the node in progress.
  at::Tensor operator()(const graph::Conv& conv) const;
  at::Tensor operator()(const graph::Linear& linear) const;
  at::Tensor operator()(const graph::GlobalMean& mean) const;
  at::Tensor operator()(graph::Sigmoid) const;
  at::Tensor operator()(graph::Multiply) const;
  at::Tensor operator()(graph::Add) const;
  at::Tensor operator()(graph::Concat) const;
  at::Tensor operator()(const graph::PerAnchor& anchors) const;
  at::Tensor operator()(graph::Resize) const;
  at::Tensor operator()(graph::Softmax softmax) const;
  at::Tensor operator()(const graph::DecodeBoxes& decode) const;
  at::Tensor operator()(const graph::Suppress& suppress) const;
  at::Tensor operator()(graph::ArgMax) const;
  at::Tensor operator()(const graph::Normalize& normalize) const;

 private:
  const at::Tensor& in(size_t i) const { return values_[node_->inputs[i].id]; }
  at::Tensor parameter(graph::Parameter parameter) const;

  bool is_integer(graph::Parameter weight) const;
  at::Tensor levels(size_t input) const;
  at::Tensor integer_sums(const graph::Conv& conv) const;
  at::Tensor of_sums(const at::Tensor& sums, const at::Tensor& scales) const;

  const graph::Graph& graph_;
  const graph::Node* node_ = nullptr;
  std::vector<at::Tensor> values_;
};

/// `x` on a grid: scale · (q − zero) with q = x / scale rounded, halves to even, plus zero, from 0
/// to 255.
at::Tensor round_to(const graph::Grid& grid, const at::Tensor& x);

}  // namespace mobileone
