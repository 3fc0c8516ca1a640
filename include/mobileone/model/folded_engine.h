#pragma once

#include <vector>

#include "mobileone/model/unit.h"

namespace mobileone {

/// The training pass of a chain of unfolded units, each by one convolution for all its branches
/// (docs/folded-training.md): the same outputs, gradients and running statistics as computing every
/// branch, which this also updates. Returns the outputs of the units in `outputs` (increasing
/// indices), [N,C,H,W] each.
///
/// Each unit is one node of autograd. The chain keeps one tensor a unit for the backward pass and
/// frees it as that goes on, so that the pass runs once. Under autocast activations are in its
/// dtype, statistics and the fold in float32 or better.
///
/// x is in float32, float64 or bfloat16, on any device (backend.h). A value that is not finite
/// makes outputs that are not. Throws Error where the engine does not know a unit's convolution
/// (groups other than 1 or the channels, even kernels, kernels above 7) and where a batch norm
/// would see a single value per channel.
///
/// With `processes` batch norms see the batches of all processes, each of which gives its own x:
/// every output, running statistic and, summed over the processes, gradient is as if one process
/// had all.
std::vector<torch::Tensor> train_folded(const std::vector<Unit>& units, const torch::Tensor& x,
                                        const std::vector<size_t>& outputs,
                                        const Processes* processes = nullptr);

}  // namespace mobileone
