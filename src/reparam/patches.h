#pragma once

#include <ATen/core/Tensor.h>

#include "mobileone/reparam/backend.h"

namespace mobileone {

/// The pixels of a channels-last image as a matrix, without a copy: [N,C,H,W] → [N·H·W, C].
at::Tensor pixel_rows(const at::Tensor& image);

/// The outputs of a convolution of x, [N·H'·W', C], as an image of channels-last memory.
at::Tensor as_image(const at::Tensor& rows, const at::Tensor& x, const ConvShape& shape);

/// The sum of patches' gradients [n,P] of a dense convolution at the pixels that they cover.
at::Tensor scatter_patches(const at::Tensor& gradients, const at::Tensor& x,
                           const ConvShape& shape);

/// Mean and standard deviation of each channel over a sample of the pixels, in float64: a shift
/// that keeps second moments from cancelling, and a measure of how much they would.
struct ChannelSample {
  at::Tensor mean, deviation;  ///< [C]
};

/// `rows` [n,C], of any floating dtype, on a CPU.
ChannelSample sample_channels(const at::Tensor& rows);

}  // namespace mobileone
