#pragma once

#include <ATen/core/Tensor.h>

namespace mobileone {

/// The moments' part of a patch's gradient, e + D p: D [G,P,P] symmetric, e [G,P].
struct MomentFactors {
  at::Tensor d, e;
};

/// Mean and standard deviation of each channel over a sample of the pixels, in float64: a shift
/// that keeps second moments from cancelling, and a measure of how much they would.
struct ChannelSample {
  at::Tensor mean, deviation;  ///< [C]
};

/// `rows` [n,C], of any floating dtype.
ChannelSample sample_channels(const at::Tensor& rows);

/// The pixels of a channels-last image as a matrix, without a copy: [N,C,H,W] → [N·H·W, C].
at::Tensor pixel_rows(const at::Tensor& image);

}  // namespace mobileone
