#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

namespace mobileone {

// Maps of an image onto one of the same size, with the pixels of Pillow. An image is contiguous
// uint8, [H,W,3] or a mask's [H,W].

/// x' = m0 x + m1 y + m2, y' = m3 x + m4 y + m5: where the pixel whose middle is (x, y) comes from.
using AffineMap = std::array<double, 6>;

/// By `degrees` counter-clockwise about the middle of an image of that size.
AffineMap rotation(double degrees, int64_t height, int64_t width);

/// The nearest pixel of each; levels are `fill` where it lies outside.
at::Tensor sample_nearest(const at::Tensor& image, const AffineMap& map, uint8_t fill = 0);

/// An image [H,W,3], interpolated between the four nearest pixels; black outside.
at::Tensor sample_bilinear(const at::Tensor& image, const AffineMap& map);

}  // namespace mobileone
