#pragma once

#include <ATen/core/Tensor.h>

namespace mobileone {

/// A contiguous uint8 image [H,W,3] smoothed by a Gaussian whose standard deviation is `radius`, in
/// [0, 1] px. The pixels are those of Pillow's GaussianBlur: three box filters along each axis
/// (Gwosdek et al. 2011), each rounded to levels.
at::Tensor gaussian_blur(const at::Tensor& image, double radius);

}  // namespace mobileone
