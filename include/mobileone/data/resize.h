#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "mobileone/config/config.h"

namespace mobileone {

/// The image, uint8 [H,W,3], in another size of at least 1 x 1, with antialiasing: every pixel is
/// that of Image.resize of Pillow 13. (Earlier ones shrink tall images in another order of passes,
/// which changes few pixels.) `image` may be a view; the result is contiguous.
at::Tensor resize(const at::Tensor& image, int64_t height, int64_t width,
                  Interpolation interpolation);

}  // namespace mobileone
