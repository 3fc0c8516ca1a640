#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace mobileone {

/// A picture, uint8 [H,W,3], with the classes of its pixels, uint8 [H,W], laid over it in the
/// colours of Pascal VOC's palette: opacity 0 leaves the picture, 1 shows the colours alone.
/// Ignored pixels keep the picture's.
at::Tensor overlay(const at::Tensor& image, const at::Tensor& mask, double opacity);

/// A mask, uint8 [H,W], as a PNG of indices with that palette: the bytes of the file.
std::string encode_mask_png(const at::Tensor& mask);

/// The colour of a class, "#800000".
std::string class_color(int64_t label);

}  // namespace mobileone
