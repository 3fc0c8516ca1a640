#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace mobileone {

/// The linear branches of a unit, each y_i = γ_i (w_i · p − μ_i) / sqrt(v_i + ε) + β_i of the patch
/// p of P values that an output sees: P = K·K for a depthwise convolution, Cin for a pointwise one.
/// A kernel smaller than K × K is padded with zeros.
struct BranchStack {
  std::vector<at::Tensor> weights;  ///< B of [Cout,P]
  at::Tensor gamma;                 ///< [B',Cout]; B' = B, or B + 1 with a skip, which comes last
  at::Tensor beta;                  ///< [B',Cout]
  at::Tensor skip;  ///< [Cout], int64: where in the patch an output's own input lies; undefined: no
                    ///< skip
  double eps = 1e-5;
};

/// Mean and biased variance of each branch's output before its batch norm, [B',Cout]: running ones
/// (evaluation, export) or the batch's (training).
struct BranchStatistics {
  at::Tensor mean, var;
};

/// A convolution with bias that replaces all branches of a unit.
struct FoldedConv {
  at::Tensor weight;  ///< [Cout,P]
  at::Tensor bias;    ///< [Cout]
};

/// Folds branches into one convolution (MobileOne paper, section 3.1; docs/folded-training.md):
///
///     a_i = γ_i / sqrt(v_i + ε),   W = Σ_i a_i w_i,   b = Σ_i (β_i − a_i μ_i)
///
/// The one fold: training, evaluation and export differ in whose statistics they give it.
FoldedConv fold_branches(const BranchStack& branches, const BranchStatistics& statistics);

/// The first two moments of the patches over batch and positions. G = 1 where every output sees the
/// same patch (a dense convolution), G = Cout where each sees its own (depthwise).
struct PatchMoments {
  at::Tensor mean;        ///< [G,P]
  at::Tensor covariance;  ///< [G,P,P], symmetric, biased
};

/// The fold with the batch's own statistics, and what its backward pass needs.
struct TrainingFold {
  FoldedConv conv;
  BranchStatistics statistics;   ///< μ_i = w_i · m, v_i = w_iᵀ C w_i
  at::Tensor weight_covariance;  ///< [B,Cout,P]: C w_i
};

TrainingFold fold_training(const BranchStack& branches, const PatchMoments& moments);

struct FoldGradients {
  std::vector<at::Tensor> weights;  ///< as in BranchStack
  at::Tensor gamma, beta;
  PatchMoments moments;  ///< of mean and covariance; the latter symmetric
};

/// The gradients of everything that went into `fold_training`, from those of the folded weight
/// [Cout,P] and bias [Cout].
FoldGradients fold_backward(const BranchStack& branches, const PatchMoments& moments,
                            const TrainingFold& fold, const at::Tensor& weight_gradient,
                            const at::Tensor& bias_gradient);

}  // namespace mobileone
