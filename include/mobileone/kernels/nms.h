#pragma once

#include <cstdint>

namespace mobileone::kernels {

/// Boxes as their edges, an array of `count` each.
struct BoxEdges {
  int64_t count = 0;
  const float *left = nullptr, *top = nullptr, *right = nullptr, *bottom = nullptr;
};

/// Greedy non-maximum suppression of boxes of one class in order of falling scores: a box is
/// dropped whose intersection over union with one that is kept is larger than `threshold`. Computed
/// in float32 as torchvision's `nms`, whose choice it is. Writes the places of the boxes that are
/// kept, the first `most` of them, to `kept` and returns their number.
int64_t suppress(const BoxEdges& boxes, float threshold, int64_t most, int32_t* kept);

}  // namespace mobileone::kernels
