#pragma once

#include <ATen/core/Tensor.h>

#include "mobileone/data/cut.h"

namespace mobileone {

/// The window of a cut of a mask, uint8 [H,W], as `apply_cut` gives that of its image: each label
/// is that of the pixel in which the middle of the window's pixel lies, kIgnored outside.
at::Tensor cut_mask(const Cut& cut, const at::Tensor& mask);

/// Of a mask's pixels that are not ignored, the share that the most frequent class has, in (0, 1];
/// 1 where all are ignored.
double largest_share(const at::Tensor& mask);

}  // namespace mobileone
