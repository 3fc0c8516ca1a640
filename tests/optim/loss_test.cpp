#include "mobileone/optim/loss.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace mobileone {
namespace {

class MixedLoss : public testing::TestWithParam<std::tuple<double, double>> {};

/// timm's mixup_target (smoothed one-hot vectors, mixed) and SoftTargetCrossEntropy.
TEST_P(MixedLoss, EqualsSoftTargetsInValueAndGradient) {
  const auto [share, smoothing] = GetParam();
  torch::manual_seed(1);
  const int64_t classes = 7;
  const auto logits = torch::randn({5, classes}, torch::kFloat64).requires_grad_();
  const auto labels = torch::tensor({0, 3, 6, 3, 1});
  const auto other = labels.flip(0);

  const auto one_hot = [&](const torch::Tensor& of) {
    const double off = smoothing / classes;
    return torch::full({5, classes}, off, torch::kFloat64)
        .scatter(1, of.unsqueeze(1), 1 - smoothing + off);
  };
  const auto target = share * one_hot(labels) + (1 - share) * one_hot(other);
  const auto expected = -(target * logits.log_softmax(1)).sum(1).mean();
  const auto gradient = torch::autograd::grad({expected}, {logits})[0];

  const auto loss = mixed_classification_loss(logits, labels, other, share, smoothing);
  EXPECT_NEAR(loss.item<double>(), expected.item<double>(), 1e-12);
  EXPECT_TRUE(torch::autograd::grad({loss}, {logits})[0].allclose(gradient, 1e-10, 1e-12));
}

INSTANTIATE_TEST_SUITE_P(All, MixedLoss,
                         testing::Combine(testing::Values(0.0, 0.3, 0.5, 1.0),
                                          testing::Values(0.0, 0.1)));

TEST(ClassificationLoss, IsOfFloat32ForNarrowLogits) {
  const auto logits = torch::randn({4, 3}).to(torch::kBFloat16);
  EXPECT_EQ(classification_loss(logits, torch::tensor({0, 1, 2, 0}), 0.1).scalar_type(),
            torch::kFloat32);
}

}  // namespace
}  // namespace mobileone
