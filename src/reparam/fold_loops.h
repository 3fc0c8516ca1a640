#pragma once

#include "mobileone/reparam/fold.h"

/// The parts of the fold and its gradient that touch whole weights, as loops on a CPU: each reads
/// them once, where the same in tensor operations would be a dozen passes. Elsewhere they are those
/// operations.
namespace mobileone::fold_loops {

/// weight_covariance [B,Cout,P] = C w; mean and var [B,Cout] of each convolution's output.
void statistics(const BranchStack& branches, const PatchMoments& moments,
                at::Tensor& weight_covariance, at::Tensor& mean, at::Tensor& var);

/// [B,Cout]: Σ_p a[b,o,p] · b[o,p].
at::Tensor row_products(const at::Tensor& a, const at::Tensor& b);

/// Fills the gradients of weights and moments, but for the skip's part.
void backward(const BranchStack& branches, const PatchMoments& moments,
              const at::Tensor& weight_covariance, const at::Tensor& weight_gradient,
              const at::Tensor& scale, const at::Tensor& d_mean, const at::Tensor& d_var,
              FoldGradients& gradients);

}  // namespace mobileone::fold_loops
