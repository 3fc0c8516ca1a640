#pragma once

#include "mobileone/model/unit.h"
#include "mobileone/reparam/backend.h"
#include "mobileone/reparam/fold.h"

namespace mobileone {

ConvShape conv_shape(const UnitOptions& unit);

/// A weight [...,Cout,Cin/groups,k,k], k at most the unit's K, as rows [...,Cout,P] over a patch of
/// a channels-last image, padded to K × K.
torch::Tensor pack_patches(const torch::Tensor& weight, const UnitOptions& unit);
/// [...,P] → [...,Cin/groups,K,K].
torch::Tensor unpack_patches(const torch::Tensor& rows, const UnitOptions& unit);

/// A unit's branches in `dtype`: the weights themselves where they already are as wanted.
BranchStack stack_branches(const UnitOptions& unit, const BranchTensors& tensors,
                           torch::ScalarType dtype);

/// The gradients of `tensors.weights` from those of their rows, [Cout,P] each.
std::vector<torch::Tensor> unpack_gradients(const std::vector<torch::Tensor>& rows,
                                            const UnitOptions& unit, const BranchTensors& tensors);

}  // namespace mobileone
