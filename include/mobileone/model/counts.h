#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mobileone/model/options.h"

namespace mobileone {

/// What one layer costs for one image.
struct LayerCounts {
  std::string name;      ///< Apple's key prefix: "stage2.5", "linear"
  std::string kind;      ///< "conv 3x3", "depthwise 3x3", "pointwise 1x1", "linear"; "+ SE"
  int64_t channels = 0;  ///< of the output
  int64_t height = 0;    ///< of the output, pixels (1 for the classifier)
  int64_t width = 0;
  int64_t branches = 0;  ///< linear branches in all: k, scale and skip; 1 if folded
  int64_t parameters = 0;
  int64_t macs = 0;         ///< multiply-adds of convolutions and the linear layer
  int64_t activations = 0;  ///< elements that convolutions and the linear layer put out
};

/// One row per unit and other layer of the head, train-time or folded as `options.folded` says, for
/// one input of `size` × `size` pixels.
std::vector<LayerCounts> layer_counts(const NetworkOptions& options, int64_t size);

/// The sum over all layers; name "total".
LayerCounts total_counts(const NetworkOptions& options, int64_t size);

}  // namespace mobileone
