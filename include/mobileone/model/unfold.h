#pragma once

#include <vector>

#include "mobileone/model/mobileone.h"

namespace mobileone {

/// Puts branches back: gives the unfolded `network` the function of `folded`, a folded network that
/// is otherwise alike, in evaluation mode exactly, and branches that train on from there. Where
/// only the backbones are alike, as of a classifier that segmentation starts from, this is true of
/// them, and the head stays as it was made.
///
/// In each unit the first branch takes the folded kernel W, and its batch norm undoes itself and
/// adds the folded bias b:
///
///     γ_0 = sqrt(v_0 + ε),   β_0 = b + μ_0        so that  γ_0 (W·p − μ_0) / sqrt(v_0 + ε) + β_0 =
///     W·p + b
///
/// All other branches, the scale's and the skip's too, have γ = β = 0 and the kernels that
/// `network` comes with: they begin with the gradient of γ. The running statistics μ, v of every
/// branch are those on `batches`, images [N,Cin,H,W] as training sees them: so a first step in
/// training mode, on one such batch, computes nearly what evaluation does.
///
/// `folded` and `network` are on one device, the images on any.
void unfold(const MobileOne& folded, const std::vector<torch::Tensor>& batches, MobileOne& network);

}  // namespace mobileone
