#include "mobileone/export/compare.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

namespace mobileone {
namespace {

/// Logits up to `size`, computed twice, the second time `off` by that much.
Difference of(double size, double off) {
  const auto logits = torch::tensor({size, -size / 2}, torch::kFloat64);
  return largest_difference(logits, logits + off);
}

TEST(Agreement, IsRelativeToTheLogitsWithAnAbsoluteFloor) {
  EXPECT_TRUE(agrees(of(0.01, 9e-5), torch::kFloat32));
  EXPECT_FALSE(agrees(of(0.01, 2e-4), torch::kFloat32));
  EXPECT_TRUE(agrees(of(15'000, 0.006), torch::kFloat32));
  EXPECT_FALSE(agrees(of(15'000, 0.2), torch::kFloat32));
  EXPECT_TRUE(agrees(of(2e11, 5e4), torch::kFloat32));
  EXPECT_FALSE(agrees(of(15'000, 0.006), torch::kFloat64));
  EXPECT_TRUE(agrees(of(15'000, 1e-8), torch::kFloat64));
  EXPECT_TRUE(agrees(of(15'000, 100), torch::kHalf));
  EXPECT_FALSE(agrees(of(1, 0.02), torch::kHalf));
}

TEST(Agreement, NeverIsThatOfWhatIsNotFinite) {
  for (const auto type : {torch::kFloat64, torch::kFloat32, torch::kHalf}) {
    EXPECT_FALSE(agrees(of(NAN, 0), type));
    EXPECT_FALSE(agrees(of(INFINITY, 0), type));
    EXPECT_FALSE(agrees(of(1, NAN), type));
    EXPECT_FALSE(agrees(of(1, INFINITY), type));
  }
}

TEST(Agreement, TellsOfOddLogits) {
  EXPECT_EQ(odd_logits(30), "");
  EXPECT_NE(odd_logits(2e11).find("its logits reach 2e+11"), std::string::npos);
  EXPECT_EQ(odd_logits(NAN), "its logits are NaN or infinite");
}

}  // namespace
}  // namespace mobileone
