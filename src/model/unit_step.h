#pragma once

#include <memory>
#include <vector>

#include "mobileone/model/mobileone.h"
#include "mobileone/reparam/fold.h"

namespace mobileone {

/// The gradients of a unit's parameters, in the order of their BranchTensors, then SE's.
struct UnitGradients {
  std::vector<torch::Tensor> weights, gammas, betas, squeeze_excite;
};

/// One unit of a training step in flight: forward, then backward, each once. It keeps one tensor of
/// its output's size in between, from which `output` makes the output again.
class UnitStep {
 public:
  virtual ~UnitStep() = default;

  /// x and what it returns are [N,C,H,W], channels-last.
  virtual torch::Tensor forward(const torch::Tensor& x) = 0;
  virtual torch::Tensor output(const torch::Tensor& x) const = 0;
  /// g = ∂L/∂output, which is overwritten. Returns ∂L/∂x, or nothing where that is not `wanted`.
  virtual torch::Tensor backward(const torch::Tensor& x, torch::Tensor g, bool wanted,
                                 UnitGradients& gradients) = 0;

  /// Of this batch, after `forward`.
  BranchStatistics statistics;
  int64_t positions = 0;  ///< values per channel that they are over
};

/// Throws Error where the engine does not know the unit's convolution or the batch is too small.
std::unique_ptr<UnitStep> make_unit_step(const Unit& unit, const torch::Tensor& x);

}  // namespace mobileone
