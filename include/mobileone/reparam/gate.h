#pragma once

#include <ATen/core/Tensor.h>

namespace mobileone {

// Squeeze-and-excitation's factors on an image and the ReLU after them. z and g are activations as
// in patch_conv.h; gates and their gradients are [N,C] in float32 or float64.

/// relu(z · gate), a new tensor.
at::Tensor gated_relu(const at::Tensor& z, const at::Tensor& gate);

/// Multiplies g = ∂L/∂relu(z · gate) in place with the ReLU's mask and returns the gradient of the
/// gate, [N,C]: the sum of g · z over the pixels.
at::Tensor gated_relu_backward(const at::Tensor& z, const at::Tensor& gate, const at::Tensor& g);

/// g ← g · gate + offset, in place: the gradient of z from the masked g and, through the pooled
/// mean, from SE's own layers; offset is [N,C].
void gate_gradient(const at::Tensor& g, const at::Tensor& gate, const at::Tensor& offset);

}  // namespace mobileone
