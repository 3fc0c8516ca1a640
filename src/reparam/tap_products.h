#pragma once

#include "mobileone/reparam/backend.h"

namespace mobileone {

// A dense convolution of many channels is a product for each tap of its kernel, over the outputs
// whose tap lies on the image. So patches need not be copied, nine times the image, and taps that a
// large dilation moves off the image cost nothing. Images are channels-last, in float32 or float64
// (a sum of products is not to be rounded to bfloat16 after each).

/// Whether that pays: where a pixel alone is a product's row.
bool has_tap_products(const ConvShape& shape);

/// x * W, the weight being [Cout,P].
at::Tensor tap_forward(const at::Tensor& x, const at::Tensor& weight, const ConvShape& shape);
/// The gradient of the weight, [Cout,P], from g = ∂L/∂y.
at::Tensor tap_weight(const at::Tensor& x, const at::Tensor& g, const ConvShape& shape);
/// The gradient of x, convᵀ(g, W).
at::Tensor tap_input(const at::Tensor& x, const at::Tensor& g, const at::Tensor& weight,
                     const ConvShape& shape);

}  // namespace mobileone
