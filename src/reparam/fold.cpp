#include "mobileone/reparam/fold.h"

#include <ATen/ATen.h>

#include "mobileone/reparam/backend.h"
#include "mobileone/util/profile.h"

namespace mobileone {
namespace {

using at::Tensor;

/// The last row of [B',Cout], the skip's.
Tensor of_skip(const Tensor& by_branch) { return by_branch[by_branch.size(0) - 1]; }

/// Rows [1 or Cout, P] → [Cout]: each output's own input.
Tensor own_input(const Tensor& rows, const BranchStack& branches) {
  return rows.expand({branches.skip.size(0), -1}).gather(1, branches.skip.unsqueeze(1)).squeeze(1);
}

/// Adds values [Cout] at each output's own input of rows [1 or Cout, P].
void add_at_own_input(const Tensor& rows, const Tensor& values, const BranchStack& branches) {
  if (rows.size(0) == 1) {
    rows[0].index_add_(0, branches.skip, values);
  } else {
    rows.scatter_add_(1, branches.skip.unsqueeze(1), values.unsqueeze(1));
  }
}

}  // namespace

FoldedConv fold_branches(const BranchStack& branches, const BranchStatistics& statistics) {
  const auto scale = branches.gamma * (statistics.var + branches.eps).rsqrt();
  FoldedConv folded{backend_of(branches.weight).weighted_sum(branches.weight, scale),
                    (branches.beta - scale * statistics.mean).sum(0)};
  if (branches.skip.defined()) {
    folded.weight.scatter_add_(1, branches.skip.unsqueeze(1), of_skip(scale).unsqueeze(1));
  }
  return folded;
}

TrainingFold fold_training(const BranchStack& branches, const PatchMoments& moments) {
  const Span span("fold");
  TrainingFold fold;
  auto& [mean, var] = fold.statistics;
  BranchMoments own = backend_of(branches.weight).branch_moments(branches, moments);
  fold.weight_covariance = own.weight_covariance;
  mean = own.mean, var = own.var;
  if (branches.skip.defined()) {
    mean = at::cat({mean, own_input(moments.mean, branches).unsqueeze(0)});
    const auto variances = moments.covariance.diagonal(0, 1, 2);
    var = at::cat({var, own_input(variances, branches).unsqueeze(0)});
  }
  // A covariance that rounding left slightly indefinite gives no negative variance.
  var.clamp_min_(0);
  fold.conv = fold_branches(branches, fold.statistics);
  return fold;
}

FoldGradients fold_backward(const BranchStack& branches, const PatchMoments& moments,
                            const TrainingFold& fold, const Tensor& d_weight,
                            const Tensor& bias_gradient) {
  const Span span("fold backward");
  const Backend& backend = backend_of(branches.weight);
  const auto& [mean, var] = fold.statistics;
  const auto weight_gradient = d_weight.contiguous();
  const auto rstd = (var + branches.eps).rsqrt(), scale = branches.gamma * rstd;

  auto d_scale = backend.row_products(branches.weight, weight_gradient);
  if (branches.skip.defined()) {
    d_scale = at::cat({d_scale, own_input(weight_gradient, branches).unsqueeze(0)});
  }
  d_scale = d_scale - mean * bias_gradient;
  const auto d_mean = -scale * bias_gradient;
  const auto d_var = -0.5 * d_scale * scale * rstd * rstd;

  FoldGradients gradients = backend.fold_gradients(branches, moments, fold.weight_covariance,
                                                   weight_gradient, {scale, d_mean, d_var});
  gradients.gamma = d_scale * rstd;
  gradients.beta = bias_gradient.expand_as(branches.beta);
  if (branches.skip.defined()) {
    add_at_own_input(gradients.moments.mean, of_skip(d_mean), branches);
    add_at_own_input(gradients.moments.covariance.diagonal(0, 1, 2), of_skip(d_var), branches);
  }
  return gradients;
}

}  // namespace mobileone
