#pragma once

#include "mobileone/reparam/patch_conv.h"
#include "moment_factors.h"

/// The functions of patch_conv.h for dense convolutions.
namespace mobileone::dense {

PatchMoments moments(const at::Tensor& x, const ConvShape& shape);
at::Tensor forward(const at::Tensor& x, const FoldedConv& conv, bool relu, const ConvShape& shape);
FoldedConv backward_weight(const at::Tensor& x, const at::Tensor& y, const at::Tensor& g,
                           const ConvShape& shape);
at::Tensor backward_input(const at::Tensor& x, const at::Tensor& g, const at::Tensor& weight,
                          const MomentFactors& factors, const ConvShape& shape);

}  // namespace mobileone::dense
