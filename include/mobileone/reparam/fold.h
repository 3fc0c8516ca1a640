#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace mobileone {

/// One linear branch of a unit and its batch norm: y = γ (w * x − μ) / sqrt(v + ε) + β.
struct Branch {
  at::Tensor weight;  ///< [Cout, Cin/groups, k, k] with k odd and at most K; undefined: the skip, w
                      ///< * x = x
  at::Tensor gamma;   ///< [Cout]
  at::Tensor beta;    ///< [Cout]
  at::Tensor mean;  ///< [Cout], μ of the branch's output: running (evaluation) or batch (training)
  at::Tensor var;   ///< [Cout], v likewise, biased
  double eps = 1e-5;
};

/// A convolution with bias that replaces all branches of a unit.
struct FoldedConv {
  at::Tensor weight;  ///< [Cout, Cin/groups, K, K]
  at::Tensor bias;    ///< [Cout]
};

/// Folds branches into one K×K convolution (MobileOne paper, section 3.1; docs/design.md):
///
///     a_i = γ_i / sqrt(v_i + ε),   W = Σ_i a_i pad(W_i),   b = Σ_i (β_i − a_i μ_i)
///
/// A pure function of its arguments in their dtype, and differentiable in all of them: training,
/// evaluation and export fold with it. `weight_shape` is [Cout, Cin/groups, K, K]; a skip needs
/// Cin = Cout.
FoldedConv fold_branches(const std::vector<Branch>& branches, at::IntArrayRef weight_shape);

}  // namespace mobileone
