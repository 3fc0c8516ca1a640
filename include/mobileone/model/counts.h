#pragma once

#include <cstdint>
#include <vector>

#include "mobileone/graph/counts.h"
#include "mobileone/model/options.h"

namespace mobileone {

/// What one layer costs for one image.
struct LayerCounts : graph::Counts {
  int64_t branches = 1;  ///< linear branches in all: k, scale and skip; 1 if folded
};

/// One row per unit and other layer of the head, train-time or folded as `options.folded` says, for
/// one input of `size` × `size` pixels. Nothing is built.
std::vector<LayerCounts> layer_counts(const NetworkOptions& options, int64_t size);

/// The sum over all layers; name "total".
LayerCounts total_counts(const NetworkOptions& options, int64_t size);

}  // namespace mobileone
