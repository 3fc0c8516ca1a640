#pragma once

#include <ATen/core/Tensor.h>

#include "mobileone/graph/graph.h"

namespace mobileone {

/// An array in numbers of `type`, in memory of its own.
at::Tensor tensor_of(const graph::Array& array, at::ScalarType type = at::kFloat);

/// Float32 in the CPU's memory, that of `tensor` where it is so.
graph::Array array_of(const at::Tensor& tensor);

/// The integers that a quantised weight and a bias are stored as, of a node whose input is on
/// `input`; float64.
at::Tensor weight_levels(const graph::Graph& graph, graph::Parameter weight);
at::Tensor bias_levels(const graph::Graph& graph, graph::Parameter bias, graph::Parameter weight,
                       const graph::Grid& input);

}  // namespace mobileone
