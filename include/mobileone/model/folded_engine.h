#pragma once

#include <vector>

#include "mobileone/model/mobileone.h"

namespace mobileone {

/// The training pass of a chain of unfolded units, each by one convolution for all its branches
/// (docs/folded-training.md): the same outputs, gradients and running statistics as computing every
/// branch, which this also updates. Returns the outputs of the units in `outputs` (increasing
/// indices), [N,C,H,W] each.
///
/// One node of autograd stands for the whole chain. It keeps one tensor a unit for the backward
/// pass and frees it as that goes on, so that the pass runs once; gradients are accumulated into
/// the parameters as usual. Under autocast activations are bfloat16, statistics and the fold
/// float32 or better.
///
/// x is on a CPU, in float32 or float64. A value that is not finite makes outputs that are not.
/// Throws Error where the engine does not know a unit's convolution (groups other than 1 or the
/// channels, even kernels, kernels above 7) and where a batch norm would see a single value per
/// channel.
std::vector<torch::Tensor> train_folded(const std::vector<Unit>& units, const torch::Tensor& x,
                                        const std::vector<size_t>& outputs);

}  // namespace mobileone
