#pragma once

#include "mobileone/reparam/backend.h"

namespace mobileone {

/// The project's kernels (bfloat16 products by LibTorch). Sums over pixels are in double. Defined
/// in dense_conv.cpp, depthwise_conv.cpp, fold_loops.cpp, direct.cpp and gate.cpp.
class CpuBackend final : public Backend {
 public:
  TrainingFold fold_training(const BranchStack& branches,
                             const PatchMoments& moments) const override;
  FoldGradients fold_backward(const BranchStack& branches, const PatchMoments& moments,
                              const TrainingFold& fold, const at::Tensor& weight_gradient,
                              const at::Tensor& bias_gradient) const override;

  BranchStatistics direct_statistics(const at::Tensor& x, const at::Tensor& y,
                                     const DirectUnit& unit) const override;
  at::Tensor direct_output(const at::Tensor& x, const at::Tensor& y, const DirectUnit& unit,
                           const BranchStatistics& statistics, bool relu) const override;
  DirectGradients direct_gradients(const at::Tensor& x, const at::Tensor& y, const at::Tensor& g,
                                   const DirectUnit& unit, const BranchStatistics& statistics,
                                   const NormBatch& batch, bool relu, bool wanted,
                                   const ConvShape& shape) const override;

  at::Tensor gated_relu(const at::Tensor& z, const at::Tensor& gate) const override;
  at::Tensor gate_gradient(const at::Tensor& z, const at::Tensor& gate,
                           const at::Tensor& g) const override;
  void gated_gradient(const at::Tensor& g, const at::Tensor& gate,
                      const at::Tensor& offset) const override;

 private:
  PatchMoments dense_moments(const at::Tensor& x, const ConvShape& shape) const override;
  at::Tensor dense_forward(const at::Tensor& x, const FoldedConv& conv, bool relu,
                           const ConvShape& shape) const override;
  FoldedConv dense_weight(const at::Tensor& x, const at::Tensor& y, const at::Tensor& g,
                          const ConvShape& shape) const override;
  at::Tensor dense_input(const at::Tensor& x, const at::Tensor& g, const at::Tensor& weight,
                         const MomentFactors& factors, const ConvShape& shape) const override;

  PatchMoments depthwise_moments(const at::Tensor& x, const ConvShape& shape) const override;
  at::Tensor depthwise_forward(const at::Tensor& x, const FoldedConv& conv, bool relu,
                               const ConvShape& shape) const override;
  FoldedConv depthwise_weight(const at::Tensor& x, const at::Tensor& y, const at::Tensor& g,
                              const ConvShape& shape) const override;
  at::Tensor depthwise_input(const at::Tensor& x, const at::Tensor& g, const at::Tensor& weight,
                             const MomentFactors& factors, const ConvShape& shape) const override;

  MomentFactors moment_factors(const PatchMoments& moments, const PatchMoments& gradient,
                               double count) const override;
};

}  // namespace mobileone
