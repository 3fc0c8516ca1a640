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

/// As torch.nn.CrossEntropyLoss(weight=w, label_smoothing=0.1) defines it.
TEST(ClassificationLoss, WeighsClasses) {
  torch::manual_seed(2);
  const auto logits = torch::randn({4, 3}, torch::kFloat64);
  const auto labels = torch::tensor({0, 2, 2, 1});
  const auto weights = torch::tensor({0.5, 2.0, 3.0}, torch::kFloat64);
  const auto log_p = logits.log_softmax(1);
  double hard = 0, spread = 0, total = 0;
  for (int64_t i = 0; i < 4; ++i) {
    const int64_t label = labels[i].item<int64_t>();
    const double weight = weights[label].item<double>();
    hard -= weight * log_p[i][label].item<double>();
    spread -= (weights * log_p[i]).sum().item<double>();
    total += weight;
  }
  EXPECT_NEAR(classification_loss(logits, labels, 0.1, weights).item<double>(),
              (0.9 * hard + 0.1 / 3 * spread) / total, 1e-12);
  EXPECT_EQ(total_weight(labels, weights), 8.5);
  EXPECT_EQ(total_weight(labels, {}), 4);
}

/// Parts of a batch add up to the whole by their shares of the weight.
TEST(ClassificationLoss, OfPartsIsThatOfTheWhole) {
  torch::manual_seed(3);
  const auto logits = torch::randn({6, 3}, torch::kFloat64);
  const auto labels = torch::tensor({0, 2, 2, 1, 0, 0}), other = labels.flip(0);
  const auto weights = torch::tensor({0.5, 2.0, 3.0}, torch::kFloat64);
  const auto loss = [&](int64_t begin, int64_t end) {
    return mixed_classification_loss(logits.slice(0, begin, end), labels.slice(0, begin, end),
                                     other.slice(0, begin, end), 0.3, 0.1, weights)
               .item<double>() *
           total_weight(labels.slice(0, begin, end), weights);
  };
  EXPECT_NEAR(loss(0, 2) + loss(2, 6), loss(0, 6), 1e-12);
}

TEST(ClassificationLoss, IsOfFloat32ForNarrowLogits) {
  const auto logits = torch::randn({4, 3}).to(torch::kBFloat16);
  EXPECT_EQ(classification_loss(logits, torch::tensor({0, 1, 2, 0}), 0.1).scalar_type(),
            torch::kFloat32);
}

}  // namespace
}  // namespace mobileone
