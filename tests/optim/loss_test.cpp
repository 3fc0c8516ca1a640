#include "mobileone/optim/loss.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "mobileone/util/error.h"

namespace mobileone {
namespace {

class MixedLoss : public testing::TestWithParam<std::tuple<double, double>> {};

/// timm's mixup_target (smoothed one-hot vectors, mixed) and SoftTargetCrossEntropy.
TEST_P(MixedLoss, EqualsSoftTargetsInValueAndGradient) {
  const auto [mixture_weight, smoothing] = GetParam();
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
  const auto target = mixture_weight * one_hot(labels) + (1 - mixture_weight) * one_hot(other);
  const auto expected = -(target * logits.log_softmax(1)).sum(1).mean();
  const auto gradient = torch::autograd::grad({expected}, {logits})[0];

  const auto loss = mixed_classification_loss(logits, labels, other, mixture_weight, smoothing);
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

/// By PyTorch's functions, at the masks' size.
torch::Tensor segmentation_reference(const torch::Tensor& logits, const torch::Tensor& masks,
                                     double smoothing, const torch::Tensor& weights) {
  namespace F = torch::nn::functional;
  auto options = F::CrossEntropyFuncOptions().ignore_index(255).label_smoothing(smoothing);
  if (weights.defined()) options.weight(weights);
  return F::cross_entropy(F::interpolate(logits, F::InterpolateFuncOptions()
                                                     .size(masks.sizes().slice(1).vec())
                                                     .mode(torch::kBilinear)
                                                     .align_corners(false)),
                          masks.to(torch::kInt64), options);
}

TEST(SegmentationLoss, IsTheMeanCrossEntropyOfResizedLogitsAndSoAreItsGradients) {
  torch::manual_seed(6);
  for (const auto& [rows, columns, height, width] : std::vector<std::array<int64_t, 4>>{
           {4, 5, 32, 40}, {3, 7, 50, 37}, {9, 9, 9, 9}, {1, 1, 7, 3}, {12, 10, 5, 6}}) {
    for (const double smoothing : {0.0, 0.1}) {
      for (const bool weighted : {false, true}) {
        const auto logits = torch::randn({2, 21, rows, columns}, torch::kFloat64) * 3;
        auto masks = torch::randint(21, {2, height, width}, torch::kUInt8);
        masks.slice(1, 0, height / 3).fill_(255);
        const auto weights = weighted ? torch::rand({21}, torch::kFloat64) + 0.5 : torch::Tensor();
        const auto evaluate = [&](const auto& loss, torch::Dtype dtype) {
          const auto x = logits.to(dtype).clone().requires_grad_();
          const auto value = loss(x);
          (value * 2).backward();
          return std::pair(value.detach().to(torch::kFloat64), x.grad().to(torch::kFloat64));
        };
        const auto [expected, gradient] = evaluate(
            [&](const auto& x) { return segmentation_reference(x, masks, smoothing, weights); },
            torch::kFloat64);
        for (const auto& [dtype, tolerance] :
             {std::pair(torch::kFloat64, 1e-12), std::pair(torch::kFloat32, 1e-5)}) {
          const auto [value, own] = evaluate(
              [&](const auto& x) { return segmentation_loss(x, masks, smoothing, weights); },
              dtype);
          EXPECT_NEAR(value.template item<double>(), expected.template item<double>(),
                      tolerance * 10);
          EXPECT_LE((own - gradient).norm().template item<double>(),
                    tolerance * gradient.norm().template item<double>())
              << rows << "x" << columns << " to " << height << "x" << width;
        }
      }
    }
  }
}

TEST(SegmentationLoss, OfNoPixelIsZeroAndSoAreItsGradients) {
  const auto logits = torch::randn({2, 3, 4, 4}).requires_grad_();
  const auto masks = torch::full({2, 16, 16}, 255, torch::kUInt8);
  const auto loss = segmentation_loss(logits, masks);
  loss.backward();
  EXPECT_EQ(loss.item<double>(), 0);
  EXPECT_EQ(logits.grad().abs().sum().item<double>(), 0);
  EXPECT_EQ(segmentation_weight(masks), 0);
}

TEST(SegmentationLoss, DividesByWhatItSaysItDoes) {
  auto masks = torch::zeros({1, 4, 4}, torch::kUInt8);
  masks.index_put_({0, 0}, 2);
  masks.index_put_({0, 1}, 255);
  EXPECT_EQ(segmentation_weight(masks), 12);
  EXPECT_DOUBLE_EQ(segmentation_weight(masks, torch::tensor({0.5, 9.0, 2.0})), 8 * 0.5 + 4 * 2.0);
}

TEST(SegmentationLoss, WhatIsNotFiniteStaysSo) {
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    auto logits = torch::randn({1, 5, 4, 4});
    logits.index_put_({0, 2, 1, 1}, bad);
    const auto loss = segmentation_loss(logits, torch::zeros({1, 16, 16}, torch::kUInt8));
    EXPECT_FALSE(std::isfinite(loss.item<double>())) << bad;
  }
}

TEST(SegmentationLoss, RefusesAClassThatTheNetworkHasNot) {
  try {
    segmentation_loss(torch::randn({1, 3, 2, 2}), torch::full({1, 8, 8}, 7, torch::kUInt8));
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "a mask has a class 7, the network 3 classes");
  }
}

}  // namespace
}  // namespace mobileone
