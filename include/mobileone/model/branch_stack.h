#pragma once

#include "mobileone/model/mobileone.h"
#include "mobileone/reparam/backend.h"
#include "mobileone/reparam/fold.h"

namespace mobileone {

ConvShape conv_shape(const UnitOptions& unit);

/// A weight [...,Cout,Cin/groups,k,k], k at most the unit's K, as rows [...,Cout,P] over a patch of
/// a channels-last image, padded to K × K.
torch::Tensor pack_patches(const torch::Tensor& weight, const UnitOptions& unit);
/// [...,P] → [...,Cin/groups,K,K].
torch::Tensor unpack_patches(const torch::Tensor& rows, const UnitOptions& unit);

/// Copies of a unit's branches in `dtype`, stacked.
BranchStack stack_branches(const UnitOptions& unit, const BranchTensors& tensors,
                           torch::ScalarType dtype);

/// The gradients of `tensors.weights` from that of their stack [B,Cout,P].
std::vector<torch::Tensor> unstack_weights(const torch::Tensor& stacked, const UnitOptions& unit,
                                           const BranchTensors& tensors);

}  // namespace mobileone
