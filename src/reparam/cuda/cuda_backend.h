#pragma once

#include "../aten_backend.h"

namespace mobileone {

/// LibTorch's products (cuBLAS) and the project's kernels for 3×3 depthwise convolutions.
class CudaBackend final : public AtenBackend {
  PatchMoments depthwise_moments(const at::Tensor& x, const ConvShape& shape) const override;
  at::Tensor depthwise_forward(const at::Tensor& x, const FoldedConv& conv, bool relu,
                               const ConvShape& shape) const override;
  FoldedConv depthwise_weight(const at::Tensor& x, const at::Tensor& y, const at::Tensor& g,
                              const ConvShape& shape) const override;
  at::Tensor depthwise_input(const at::Tensor& x, const at::Tensor& g, const at::Tensor& weight,
                             const MomentFactors& factors, const ConvShape& shape) const override;
};

}  // namespace mobileone
