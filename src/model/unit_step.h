#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "mobileone/reparam/backend.h"
#include "squeeze_excite_step.h"

namespace mobileone {

/// The gradients of a unit's parameters, in the order of their BranchTensors, then SE's.
struct UnitGradients {
  std::vector<torch::Tensor> weights, gammas, betas, squeeze_excite;
};

/// One unit of a training step in flight: forward, then backward, each once. It keeps one tensor of
/// its output's size in between, from which `output` makes the output again.
class UnitStep {
 public:
  UnitStep(const Unit& unit, const NormBatch& batch);
  virtual ~UnitStep() = default;

  /// x and what it returns are [N,C,H,W], channels-last.
  virtual torch::Tensor forward(const torch::Tensor& x) = 0;
  /// x is read only if `output_needs_input`.
  virtual torch::Tensor output(const torch::Tensor& x) const = 0;
  virtual bool output_needs_input() const = 0;
  /// g = ∂L/∂output, which is overwritten. Returns ∂L/∂x, or nothing where that is not `wanted`.
  virtual torch::Tensor backward(const torch::Tensor& x, torch::Tensor g, bool wanted,
                                 UnitGradients& gradients) = 0;

  const BranchTensors tensors;
  const ConvShape shape;
  /// Of this batch, after `forward`.
  BranchStatistics statistics;
  int64_t positions = 0;  ///< values per channel that they are over

 protected:
  const NormBatch& batch_;
  std::optional<SqueezeExciteStep> se_;
};

/// `batch`, whose images x is of, must outlive the step. Throws Error where the engine does not
/// know the unit's convolution or the batch is too small.
std::unique_ptr<UnitStep> make_unit_step(const Unit& unit, const torch::Tensor& x,
                                         const NormBatch& batch);

}  // namespace mobileone
