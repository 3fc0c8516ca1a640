#pragma once

#include "mobileone/reparam/backend.h"

namespace mobileone {

// LibTorch's operations, on any device. Products and sums over pixels are in the compute dtype,
// moments about a mean. Where there are kernels for some of it, the rest is of these
// (portable_backend).

const FoldLoops& aten_fold_loops();  // fold.cpp

class AtenNorms final : public DirectNorms {
 public:
  AtenNorms(const Convolutions& dense, const Convolutions& depthwise)
      : dense_(dense), depthwise_(depthwise) {}

  BranchStatistics statistics(const at::Tensor& x, const at::Tensor& y,
                              const DirectUnit& unit) const override;
  at::Tensor output(const at::Tensor& x, const at::Tensor& y, const DirectUnit& unit,
                    const BranchStatistics& statistics, bool relu) const override;
  DirectGradients gradients(const at::Tensor& x, const at::Tensor& y, const at::Tensor& g,
                            const DirectUnit& unit, const BranchStatistics& statistics,
                            const NormBatch& batch, bool relu, bool wanted,
                            const ConvShape& shape) const override;

 private:
  const Convolutions &dense_, &depthwise_;
};

}  // namespace mobileone
