#include "mobileone/reparam/fold.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace mobileone {
namespace {

struct Shape {
  int64_t branches, outputs, patch;
  bool depthwise, skip;
};

std::ostream& operator<<(std::ostream& out, const Shape& s) {
  return out << s.branches << " branches, " << s.outputs << " outputs, patch " << s.patch
             << (s.depthwise ? ", depthwise" : "") << (s.skip ? ", skip" : "");
}

torch::Tensor randn(at::IntArrayRef sizes) { return torch::randn(sizes, torch::kFloat64); }

BranchStack random_stack(const Shape& s) {
  const int64_t norms = s.branches + (s.skip ? 1 : 0);
  BranchStack stack{randn({s.branches, s.outputs, s.patch}).unbind(),
                    randn({norms, s.outputs}),
                    randn({norms, s.outputs}),
                    {},
                    1e-5};
  if (s.skip) {
    stack.skip = s.depthwise ? torch::full({s.outputs}, s.patch / 2, torch::kInt64)
                             : torch::arange(s.outputs, torch::kInt64);
  }
  return stack;
}

/// Patches [n,G,P], as many as make every covariance regular.
torch::Tensor random_patches(const Shape& s) {
  return randn({4 * s.patch + 3, s.depthwise ? s.outputs : 1, s.patch}) + 0.5;
}

PatchMoments moments_of(const torch::Tensor& patches) {
  const auto mean = patches.mean(0), centred = patches - mean;
  return {mean, torch::einsum("ngp,ngq->gpq", {centred, centred}) / patches.size(0)};
}

/// Each branch's output [n,B',Cout] for every patch, before its batch norm.
torch::Tensor branch_outputs(const torch::Tensor& patches, const BranchStack& stack) {
  const auto all = patches.expand({-1, stack.weights[0].size(0), -1});
  auto y = torch::einsum("nop,bop->nbo", {all, torch::stack(stack.weights)});
  if (stack.skip.defined()) {
    const auto own = all.gather(2, stack.skip.view({1, -1, 1}).expand({all.size(0), -1, 1}));
    y = torch::cat({y, own.squeeze(2).unsqueeze(1)}, 1);
  }
  return y;
}

/// μ_i = w_i · m and v_i = w_iᵀ C w_i, as autograd can follow them.
BranchStatistics statistics_by_definition(const BranchStack& stack, const PatchMoments& moments) {
  const int64_t outputs = stack.weights[0].size(0), patch = stack.weights[0].size(1);
  const auto m = moments.mean.expand({outputs, patch}),
             c = moments.covariance.expand({outputs, patch, patch});
  const auto weights = torch::stack(stack.weights);
  auto mean = torch::einsum("bop,op->bo", {weights, m}),
       var = torch::einsum("bop,opq,boq->bo", {weights, c, weights});
  if (stack.skip.defined()) {
    const auto own = stack.skip.unsqueeze(1);
    mean = torch::cat({mean, m.gather(1, own).t()});
    var = torch::cat({var, c.diagonal(0, 1, 2).gather(1, own).t()});
  }
  return {mean, var};
}

/// Σ a_i w_i and Σ (β_i − a_i μ_i), likewise.
FoldedConv fold_by_definition(const BranchStack& stack, const BranchStatistics& statistics) {
  const auto scale = stack.gamma * (statistics.var + stack.eps).rsqrt();
  auto weights = torch::stack(stack.weights);
  if (stack.skip.defined()) {
    weights = torch::cat({weights, at::one_hot(stack.skip, weights.size(2)).unsqueeze(0)});
  }
  return {(scale.unsqueeze(2) * weights).sum(0), (stack.beta - scale * statistics.mean).sum(0)};
}

class Fold : public testing::TestWithParam<Shape> {};

TEST_P(Fold, StatisticsAreThoseOfEachBranchsOutput) {
  torch::manual_seed(1);
  const auto stack = random_stack(GetParam());
  const auto patches = random_patches(GetParam());
  const auto fold = fold_training(stack, moments_of(patches));
  const auto y = branch_outputs(patches, stack);
  EXPECT_TRUE(torch::allclose(fold.statistics.mean, y.mean(0), 1e-10, 1e-12));
  EXPECT_TRUE(torch::allclose(fold.statistics.var, y.var(0, false), 1e-10, 1e-12));
}

TEST_P(Fold, OneConvolutionEqualsTheSumOfNormalisedBranches) {
  for (int seed = 0; seed < 5; ++seed) {
    torch::manual_seed(seed);
    const auto stack = random_stack(GetParam());
    const auto patches = random_patches(GetParam());
    // Any statistics, as in evaluation.
    const BranchStatistics statistics{torch::randn_like(stack.gamma),
                                      torch::rand_like(stack.gamma) + 0.1};
    const auto folded = fold_branches(stack, statistics);
    const auto y = branch_outputs(patches, stack);
    const auto expected =
        (stack.gamma * (y - statistics.mean) * (statistics.var + stack.eps).rsqrt() + stack.beta)
            .sum(1);
    const auto all = patches.expand({-1, stack.weights[0].size(0), -1});
    const auto actual = torch::einsum("nop,op->no", {all, folded.weight}) + folded.bias;
    EXPECT_TRUE(torch::allclose(actual, expected, 1e-10, 1e-11));
  }
}

TEST_P(Fold, BackwardEqualsAutograd) {
  torch::manual_seed(2);
  auto stack = random_stack(GetParam());
  auto moments = moments_of(random_patches(GetParam()));
  auto inputs = stack.weights;
  inputs.insert(inputs.end(), {moments.mean, stack.gamma, stack.beta, moments.covariance});
  for (auto& input : inputs) input.requires_grad_();
  const auto conv = fold_by_definition(stack, statistics_by_definition(stack, moments));
  const auto d_weight = torch::randn_like(conv.weight), d_bias = torch::randn_like(conv.bias);
  const auto expected = torch::autograd::grad({conv.weight, conv.bias}, inputs, {d_weight, d_bias});
  torch::NoGradGuard no_grad;
  const auto fold = fold_training(stack, moments);
  EXPECT_TRUE(torch::allclose(fold.conv.weight, conv.weight, 1e-10, 1e-11));
  const auto actual = fold_backward(stack, moments, fold, d_weight, d_bias);
  auto own = actual.weights;
  own.insert(own.end(),
             {actual.moments.mean, actual.gamma, actual.beta, actual.moments.covariance});
  for (size_t i = 0; i < inputs.size(); ++i) {
    // A covariance is symmetric, so that only the symmetric part of its gradient counts.
    auto e = expected[i];
    if (i + 1 == inputs.size()) e = (e + e.transpose(1, 2)) / 2;
    EXPECT_TRUE(torch::allclose(own[i], e, 1e-9, 1e-10)) << "input " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Units, Fold,
                         testing::Values(Shape{5, 8, 9, true, true},      // depthwise
                                         Shape{2, 8, 9, true, false},     // depthwise, strided
                                         Shape{4, 8, 8, false, true},     // pointwise
                                         Shape{5, 10, 6, false, false},   // widening
                                         Shape{2, 12, 27, false, false},  // stem
                                         Shape{3, 8, 25, true, true}));   // 5×5

}  // namespace
}  // namespace mobileone
