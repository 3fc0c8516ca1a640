#include "mobileone/reparam/fold.h"

#include <ATen/ATen.h>

#include "aten_backend.h"
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

/// [B',Cout] → [B,Cout,1]: without the skip.
Tensor of_weights(const Tensor& by_branch, const BranchStack& branches) {
  return by_branch.narrow(0, 0, static_cast<int64_t>(branches.weights.size())).unsqueeze(2);
}

/// Branches' rows as one matrix a group: [B,Cout,P] → [G, B·Cout/G, P].
Tensor by_group(const Tensor& rows, int64_t groups) {
  return groups == 1 ? rows.flatten(0, 1).unsqueeze(0) : rows.transpose(0, 1);
}

}  // namespace

FoldedConv fold_branches(const BranchStack& branches, const BranchStatistics& statistics) {
  const auto scale = branches.gamma * (statistics.var + branches.eps).rsqrt();
  FoldedConv folded{(at::stack(branches.weights) * of_weights(scale, branches)).sum(0),
                    (branches.beta - scale * statistics.mean).sum(0)};
  if (branches.skip.defined()) {
    folded.weight.scatter_add_(1, branches.skip.unsqueeze(1), of_skip(scale).unsqueeze(1));
  }
  return folded;
}

TrainingFold fold_training(const BranchStack& branches, const PatchMoments& moments) {
  const Span span("fold");
  return backend_of(branches.gamma).fold.forward(branches, moments);
}

FoldGradients fold_backward(const BranchStack& branches, const PatchMoments& moments,
                            const TrainingFold& fold, const Tensor& weight_gradient,
                            const Tensor& bias_gradient) {
  const Span span("fold backward");
  return backend_of(branches.gamma)
      .fold.backward(branches, moments, fold, weight_gradient.contiguous(),
                     bias_gradient.contiguous());
}

namespace {

class AtenFoldLoops final : public FoldLoops {
 public:
  TrainingFold forward(const BranchStack& branches, const PatchMoments& moments) const override {
    const auto weight = at::stack(branches.weights);
    const int64_t groups = moments.mean.size(0);
    const auto grouped = at::bmm(by_group(weight, groups), moments.covariance);
    TrainingFold fold;
    fold.weight_covariance = groups == 1 ? grouped.view(weight.sizes()) : grouped.transpose(0, 1);
    auto& [mean, var] = fold.statistics;
    mean = (weight * moments.mean).sum(2);
    var = (weight * fold.weight_covariance).sum(2);
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

  FoldGradients backward(const BranchStack& branches, const PatchMoments& moments,
                         const TrainingFold& fold, const Tensor& weight_gradient,
                         const Tensor& bias_gradient) const override {
    const auto weight = at::stack(branches.weights);
    const auto& [mean, var] = fold.statistics;
    const auto rstd = (var + branches.eps).rsqrt(), scale = branches.gamma * rstd;

    auto d_scale = (weight * weight_gradient).sum(2);
    if (branches.skip.defined()) {
      d_scale = at::cat({d_scale, own_input(weight_gradient, branches).unsqueeze(0)});
    }
    d_scale = d_scale - mean * bias_gradient;
    const auto d_mean = -scale * bias_gradient;
    const auto d_var = -0.5 * d_scale * scale * rstd * rstd;

    const int64_t groups = moments.mean.size(0);
    const auto of_mean = of_weights(d_mean, branches), of_var = of_weights(d_var, branches);
    const auto rows = by_group(weight, groups);
    FoldGradients gradients;
    gradients.weights = (of_weights(scale, branches) * weight_gradient + of_mean * moments.mean +
                         2 * of_var * fold.weight_covariance)
                            .unbind();
    gradients.gamma = d_scale * rstd;
    gradients.beta = bias_gradient.expand_as(branches.beta);
    gradients.moments.mean = at::bmm(by_group(of_mean, groups).transpose(1, 2), rows).squeeze(1);
    gradients.moments.covariance = at::bmm(by_group(of_var * weight, groups).transpose(1, 2), rows);
    if (branches.skip.defined()) {
      add_at_own_input(gradients.moments.mean, of_skip(d_mean), branches);
      add_at_own_input(gradients.moments.covariance.diagonal(0, 1, 2), of_skip(d_var), branches);
    }
    return gradients;
  }

  MomentFactors moment_factors(const PatchMoments& moments, const PatchMoments& gradient,
                               double count) const override {
    const auto d = gradient.covariance * (2 / count);
    return {d, gradient.mean / count - at::bmm(d, moments.mean.unsqueeze(2)).squeeze(2)};
  }
};

}  // namespace

const FoldLoops& aten_fold_loops() {
  static const AtenFoldLoops instance;
  return instance;
}

}  // namespace mobileone
