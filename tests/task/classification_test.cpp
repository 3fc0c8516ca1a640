#include "mobileone/task/classification.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <limits>
#include <vector>

#include "mobileone/optim/loss.h"

namespace mobileone {
namespace {

TEST(ClassificationLoss, SpreadsTheTargetOverAllClasses) {
  torch::manual_seed(0);
  const auto logits = torch::randn({6, 5}, torch::kFloat64);
  const auto labels = torch::tensor({0, 1, 2, 3, 4, 0});
  const auto target = at::one_hot(labels, 5).to(torch::kFloat64) * 0.9 + 0.1 / 5;
  const auto expected = -(target * logits.log_softmax(1)).sum(1).mean();
  EXPECT_NEAR(classification_loss(logits, labels, 0.1).item<double>(), expected.item<double>(),
              1e-12);
}

TEST(ClassificationMeter, CountsOverUnevenBatches) {
  ClassificationMeter meter;
  // Class 0 wins, then 1, 2, ...: label 0 is first, label 4 fifth, label 5 missed.
  const auto row = torch::tensor({6.0, 5.0, 4.0, 3.0, 2.0, 1.0});
  meter.add(row.expand({2, 6}), torch::tensor({0, 4}));
  meter.add(row.expand({1, 6}), torch::tensor({5}));
  EXPECT_EQ(meter.images(), 3);
  EXPECT_NEAR(meter.top1(), 100.0 / 3, 1e-12);
  EXPECT_NEAR(meter.top5(), 200.0 / 3, 1e-12);
  const auto loss = -(row.log_softmax(0)[0] + row.log_softmax(0)[4] + row.log_softmax(0)[5]) / 3;
  EXPECT_NEAR(meter.loss(), loss.item<double>(), 1e-6);
}

TEST(ClassificationMeter, OfFiveClassesThereIsNoTopFive) {
  for (const int64_t classes : {1, 3, 5}) {
    ClassificationMeter meter;
    meter.add(torch::randn({8, classes}), torch::zeros({8}, torch::kLong));
    EXPECT_TRUE(std::isnan(meter.top5())) << classes;
  }
}

TEST(ClassificationMeter, WhatIsNoNumberIsNeverAHit) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(),
                   kInfinity = std::numeric_limits<double>::infinity();
  ClassificationMeter meter;
  const auto add = [&](std::vector<double> logits, int64_t label) {
    meter.add(torch::tensor(logits).unsqueeze(0), torch::tensor({label}));
  };
  for (int64_t label = 0; label < 3; ++label) {
    add({kNaN, kNaN, kNaN}, label);
    add({3, kNaN, 1}, label);
    add({3, kInfinity, 1}, label);
    add({-kInfinity, -kInfinity, -kInfinity}, label);
  }
  EXPECT_EQ(meter.top1(), 0);
  EXPECT_EQ(meter.without_numbers(), meter.images());
  add({3, -kInfinity, 1}, 0);  // a class ruled out
  EXPECT_EQ(meter.without_numbers(), 12);
  EXPECT_NEAR(meter.top1(), 100.0 / 13, 1e-12);
}

}  // namespace
}  // namespace mobileone
