#pragma once

#include <ATen/core/Tensor.h>

#include "mobileone/reparam/fold.h"

namespace mobileone {

/// A convolution as folded training sees it: depthwise (groups = channels = outputs) or dense
/// (groups = 1), an odd kernel, zero padding of dilation · (kernel / 2).
struct ConvShape {
  int64_t in_channels = 0, out_channels = 0;
  int64_t kernel = 1, stride = 1, dilation = 1, groups = 1;

  bool depthwise() const { return groups > 1; }
  int64_t padding() const { return dilation * (kernel / 2); }
  int64_t output_size(int64_t size) const { return (size - 1) / stride + 1; }
  /// P: K·K, or K·K·Cin in the order of a channels-last image.
  int64_t patch_size() const { return kernel * kernel * (depthwise() ? 1 : in_channels); }
};

// Activations are [N,C,H,W], channels-last in memory, in float32, float64 or bfloat16; weights
// [Cout,P], biases and moments are in float32 or float64. On a CPU the work is done by the
// project's kernels (bfloat16 products by LibTorch), on a CUDA device by LibTorch and the kernels
// in depthwise.cu. Sums over pixels are in double on a CPU.

/// Mean and covariance of all patches of x. The moments' dtype is float64 on a CPU.
PatchMoments patch_moments(const at::Tensor& x, const ConvShape& shape);

/// x * W + b, then ReLU if asked; weight and bias of any floating dtype.
at::Tensor patch_conv(const at::Tensor& x, const FoldedConv& conv, bool relu,
                      const ConvShape& shape);

/// The gradients of weight [Cout,P] and bias [Cout] from g = ∂L/∂y, which is first multiplied in
/// place with the ReLU's mask y > 0 (y undefined: no ReLU).
FoldedConv patch_conv_backward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& g,
                               const ConvShape& shape);

/// The gradient of x from the masked g, the weight and the gradients of the patch moments:
///
///     dx = convᵀ(g, W) + scatter((2/n) dC (p − m) + dm / n)      over the n patches
at::Tensor patch_conv_backward_input(const at::Tensor& x, const at::Tensor& g,
                                     const at::Tensor& weight, const PatchMoments& moments,
                                     const PatchMoments& gradient, const ConvShape& shape);

}  // namespace mobileone
