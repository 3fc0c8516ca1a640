#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

#include "mobileone/model/options.h"
#include "mobileone/util/box.h"

namespace mobileone {

/// Rows and columns of each level's map of an image, which a network halves, rounding up.
std::vector<std::array<int64_t, 2>> level_sizes(const SsdLiteOptions& head, int64_t height,
                                                int64_t width);

/// The anchors ("default boxes", Liu et al. 2016, section 2.2) of SSDLite for images of a size:
/// float64 [A,4], the centre's x and y, width and height in pixels. Level by level, fine to coarse,
/// row by row; those of a cell: the square of its scale, the square of the geometric mean of its
/// and the next scale, then of each ratio the wide and the high one. By preset (docs/detection.md):
/// - mmdetection: cells are ⌈image / map⌉ pixels;
/// - torchvision: cells divide the image evenly, and no side is longer than the image's;
/// - cvnets: likewise, as are centres.
at::Tensor ssd_anchors(const SsdLiteOptions& head, int64_t height, int64_t width);

/// The boxes of anchors [A,4] as above.
std::vector<Box> anchor_boxes(const at::Tensor& anchors);

}  // namespace mobileone
