#pragma once

#include <string>
#include <vector>

#include "mobileone/graph/graph.h"

namespace mobileone::graph {

/// What a unit, or a convolution or linear layer by itself, costs for one image.
struct Counts {
  std::string name;      ///< the unit's or the node's: "stage2.5", "linear"
  std::string kind;      ///< "conv 3x3", "depthwise 3x3", "pointwise 1x1", "linear"; "+ SE"
  int64_t channels = 0;  ///< of the output
  int64_t height = 1;    ///< of the output, pixels
  int64_t width = 1;
  int64_t parameters = 0;
  int64_t macs = 0;         ///< multiply-adds of convolutions and linear layers
  int64_t activations = 0;  ///< elements that convolutions and linear layers put out
};

/// In order of computation, for one image of `height` × `width` pixels. Parameters need no values.
std::vector<Counts> count(const Graph& graph, int64_t height, int64_t width);

/// The sum over all; name "total".
Counts count_total(const Graph& graph, int64_t height, int64_t width);

}  // namespace mobileone::graph
