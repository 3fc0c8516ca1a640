#pragma once

#include <torch/types.h>

#include <functional>

#include "mobileone/config/study.h"

namespace mobileone {

/// float32 [N,C,H,W] → the same; what it is given it may overwrite.
using Layer = std::function<torch::Tensor(const torch::Tensor&)>;

/// A convolution of a plain CNN.
struct LayerShape {
  int64_t in_channels, out_channels, stride;
};

/// A CNN of 3×3 convolutions with biases (batch norms count as folded), images [N,3,H,W] →
/// [N,C,H',W']. `after` makes what follows each convolution, an activation function for instance.
/// The memory format is channels last; weights are drawn from torch's generator.
Layer plain_cnn(const PlainCnnConfig& config, const std::function<Layer(const LayerShape&)>& after);

/// The same CNN of other blocks, each ending in ReLU; k is that of train-time branches.
Layer block_cnn(const PlainCnnConfig& config, Block block, int64_t k);

/// An activation function over `channels`:
/// - SE-ReLU: squeeze-and-excitation (Hu et al. 2018, reduction 16), then ReLU;
/// - Dynamic ReLU A and B (Chen et al. 2020, equations 2 to 4): the larger of two linear functions
///   whose coefficients are a function of the input's global mean, shared by all channels (A) or
///   for each (B); reduction 8, λ_a = 1, λ_b = 0.5;
/// - DynamicShift-Max (Li et al. 2021, MicroNet, equation 5): the larger of two sums of the input
///   and the input with channels shifted by a quarter, with such coefficients; J = K = 2.
Layer activation_layer(Activation activation, int64_t channels);

}  // namespace mobileone
