#include "mobileone/train/find_lr.h"

#include <gtest/gtest.h>

#include <cmath>

#include "mobileone/util/error.h"

namespace mobileone {
namespace {

/// A loss that is 3 below lr 1e-3, falls along a half cosine of log lr until 1e-1, and grows
/// beyond.
std::vector<LrPoint> valley() {
  std::vector<LrPoint> points;
  for (int i = 0; i <= 100; ++i) {
    const double exponent = -5 + 0.05 * i;  // 1e-5 ... 1
    const double share = std::clamp((exponent + 3) / 2, 0.0, 1.0);
    const double loss = 2 + std::cos(M_PI * share) + std::max(0.0, 5 * (exponent + 1));
    points.push_back({std::pow(10.0, exponent), loss, loss});
  }
  return points;
}

TEST(FindLearningRate, FindsTheSteepestAndTheLowestOfAKnownCurve) {
  const LrFindings findings = judge_learning_rates(valley());
  EXPECT_NEAR(findings.steepest, 1e-2, 1e-9);
  EXPECT_NEAR(findings.lowest, 1e-1, 1e-9);
  EXPECT_NEAR(findings.suggested, 1e-2, 1e-9);
  EXPECT_EQ(findings.points.size(), 101u);
}

TEST(FindLearningRate, RefusesALossThatNeverFalls) {
  std::vector<LrPoint> rising;
  for (int i = 1; i < 10; ++i) rising.push_back({0.1 * i, 1.0 * i, 1.0 * i});
  EXPECT_THROW(judge_learning_rates(rising), Error);
  EXPECT_THROW(judge_learning_rates({{0.1, 2, 2}, {0.2, 1, 1}}), Error);
}

}  // namespace
}  // namespace mobileone
