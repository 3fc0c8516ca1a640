#pragma once

#include <vector>

#include "mobileone/graph/graph.h"

namespace mobileone::graph {

struct Type {
  Element element = Element::kFloat;
  Shape shape;
};

/// What each value is, by its id, for `batch` images of `height` × `width` pixels. Throws Error
/// naming the node if one takes what is not defined before it, or what does not fit it or its
/// parameters, or if an output is not defined.
std::vector<Type> infer_shapes(const Graph& graph, int64_t batch, int64_t height, int64_t width);

/// Throws Error unless a graph can be written: shapes fit, names are unique, every parameter has
/// values and is used, and there is an output.
void check(const Graph& graph);

/// Whether each value, by its id, is of one pixel whatever the image's size: a mean of channels and
/// what is made of it alone. Formats have other operators for these than for feature maps.
std::vector<bool> find_pooled(const Graph& graph);

}  // namespace mobileone::graph
