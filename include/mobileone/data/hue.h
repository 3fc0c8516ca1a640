#pragma once

#include <ATen/core/Tensor.h>

namespace mobileone {

/// Turns the hue of a contiguous uint8 image [H,W,3] by `shift`, -0.5 to 0.5 of its circle, cut to
/// whole 255ths. The pixels are torchvision's on Pillow images; they go by way of hue, saturation
/// and value of 8 bits each, so that a shift of 0 is not quite the identity.
at::Tensor turn_hue(const at::Tensor& image, double shift);

}  // namespace mobileone
