#include "mobileone/reparam/fold.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace mobileone {
namespace {

struct Shape {
  int64_t in, out, kernel, groups, branches;
  bool scale, skip;
};

Branch random_branch(torch::Tensor weight, int64_t channels) {
  const auto f64 = torch::kFloat64;
  return {std::move(weight), torch::randn({channels}, f64), torch::randn({channels}, f64),
          torch::randn({channels}, f64), torch::rand({channels}, f64) + 0.1};
}

std::vector<Branch> random_branches(const Shape& shape) {
  const int64_t per_group = shape.in / shape.groups;
  const auto weight = [&](int64_t k) {
    return torch::randn({shape.out, per_group, k, k}, torch::kFloat64);
  };
  std::vector<Branch> branches;
  for (int64_t i = 0; i < shape.branches; ++i) {
    branches.push_back(random_branch(weight(shape.kernel), shape.out));
  }
  if (shape.scale) branches.push_back(random_branch(weight(1), shape.out));
  if (shape.skip) branches.push_back(random_branch({}, shape.out));
  return branches;
}

/// Every branch by itself: convolution, then batch norm with its statistics.
torch::Tensor sum_of_branches(const torch::Tensor& x, const std::vector<Branch>& branches,
                              const Shape& shape) {
  torch::Tensor sum;
  for (const Branch& b : branches) {
    const auto y = b.weight.defined()
                       ? torch::conv2d(x, b.weight, {}, 1, b.weight.size(2) / 2, 1, shape.groups)
                       : x;
    const auto normed =
        torch::batch_norm(y, b.gamma, b.beta, b.mean, b.var, false, 0.1, b.eps, false);
    sum = sum.defined() ? sum + normed : normed;
  }
  return sum;
}

class FoldBranches : public testing::TestWithParam<Shape> {};

TEST_P(FoldBranches, EqualsTheSumOfBranches) {
  const Shape shape = GetParam();
  for (int seed = 0; seed < 5; ++seed) {
    torch::manual_seed(seed);
    const auto branches = random_branches(shape);
    const auto x = torch::randn({2, shape.in, 7, 5}, torch::kFloat64);
    const auto folded =
        fold_branches(branches, {shape.out, shape.in / shape.groups, shape.kernel, shape.kernel});
    const auto y =
        torch::conv2d(x, folded.weight, folded.bias, 1, shape.kernel / 2, 1, shape.groups);
    EXPECT_LT((y - sum_of_branches(x, branches, shape)).abs().max().item<double>(), 1e-11);
  }
}

INSTANTIATE_TEST_SUITE_P(Units, FoldBranches,
                         testing::Values(Shape{8, 8, 3, 8, 4, true, true},     // depthwise
                                         Shape{8, 8, 3, 8, 1, true, false},    // depthwise, strided
                                         Shape{8, 8, 1, 1, 4, false, true},    // pointwise
                                         Shape{6, 10, 1, 1, 5, false, false},  // widening
                                         Shape{3, 12, 3, 1, 1, true, false},   // stem
                                         Shape{8, 8, 5, 4, 2, true, true}));   // grouped 5×5

TEST(FoldBranches, IsDifferentiableInEverything) {
  torch::manual_seed(0);
  auto branches = random_branches({4, 4, 3, 4, 2, true, true});
  std::vector<torch::Tensor> inputs;
  for (auto& b : branches) {
    for (auto* t : {&b.weight, &b.gamma, &b.beta, &b.mean, &b.var}) {
      if (t->defined()) inputs.push_back(t->requires_grad_());
    }
  }
  const auto weight_probe = torch::randn({4, 1, 3, 3}, torch::kFloat64);
  const auto bias_probe = torch::randn({4}, torch::kFloat64);
  const auto objective = [&] {
    const auto folded = fold_branches(branches, {4, 1, 3, 3});
    return (folded.weight * weight_probe).sum() + (folded.bias * bias_probe).sum();
  };
  const auto gradients = torch::autograd::grad({objective()}, inputs);
  torch::NoGradGuard no_grad;
  for (size_t i = 0; i < inputs.size(); ++i) {
    auto element = inputs[i].view({-1})[0];
    const double step = 1e-6;
    element += step;
    const double above = objective().item<double>();
    element -= 2 * step;
    const double below = objective().item<double>();
    element += step;
    const double expected = gradients[i].view({-1})[0].item<double>();
    EXPECT_NEAR((above - below) / (2 * step), expected, 1e-6 * std::max(1.0, std::abs(expected)));
  }
}

}  // namespace
}  // namespace mobileone
