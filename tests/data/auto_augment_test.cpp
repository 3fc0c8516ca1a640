#include "mobileone/data/auto_augment.h"

#include "data/support.h"

namespace mobileone {
namespace {

TEST(AutoAugment, StrengthZeroIsTheIdentity) {
  const at::Tensor image = read_image(golden("operations.png"));
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    ASSERT_EQ(largest_difference(auto_augment(image, 0, random), image), 0) << seed;
  }
}

TEST(AutoAugment, SameStreamGivesSameImage) {
  const at::Tensor image = read_image(golden("operations.png"));
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Random first(seed);
    Random second(seed);
    ASSERT_EQ(largest_difference(auto_augment(image, 0.7, first), auto_augment(image, 0.7, second)),
              0);
    EXPECT_EQ(first.bits(), second.bits());
  }
}

TEST(AutoAugment, StrongerChangesMore) {
  const at::Tensor image = read_image(golden("operations.png"));
  const auto mean_change = [&](double strength) {
    double sum = 0;
    for (uint64_t seed = 0; seed < 300; ++seed) {
      Random random(seed);
      const at::Tensor result = auto_augment(image, strength, random);
      sum += (result.to(at::kFloat) - image.to(at::kFloat)).abs().mean().item<double>();
    }
    return sum / 300;
  };
  const double weak = mean_change(0.3);
  const double middle = mean_change(0.6);
  EXPECT_GT(weak, 1);
  EXPECT_GT(middle, weak);
  EXPECT_GT(mean_change(1.0), middle);
}

TEST(AutoAugment, HasThePublishedPolicy) {
  const auto policy = imagenet_policy();
  ASSERT_EQ(policy.size(), 25u);
  double probabilities = 0;
  int bins = 0;
  for (const auto& [first, second] : policy) {
    probabilities += first.probability + second.probability;
    bins += first.bin + second.bin;
  }
  // The sums over torchvision's table.
  EXPECT_NEAR(probabilities, 31, 1e-9);
  EXPECT_EQ(bins, 159);
}

struct Magnitude {
  Operation operation;
  int bin;
  double strength;
  double expected;
};

class PolicyMagnitude : public testing::TestWithParam<Magnitude> {};

TEST_P(PolicyMagnitude, GrowsFromTheIdentity) {
  const Magnitude& m = GetParam();
  EXPECT_NEAR(policy_magnitude(m.operation, m.bin, m.strength, 224, 331), m.expected, 1e-12)
      << to_string(m.operation);
}

constexpr Magnitude kMagnitudes[] = {
    {Operation::kShearX, 9, 1, 0.3},     {Operation::kShearY, 3, 0.5, 0.05},
    {Operation::kTranslateX, 9, 1, 150}, {Operation::kTranslateY, 9, 0.3, 45.0 * 224 / 331},
    {Operation::kRotate, 9, 1, 30},      {Operation::kRotate, 9, 0.3, 9},
    {Operation::kColor, 4, 1, 0.4},      {Operation::kContrast, 8, 0.5, 0.4},
    {Operation::kPosterize, 8, 1, 4},    {Operation::kPosterize, 5, 1, 6},
    {Operation::kPosterize, 6, 1, 5},    {Operation::kPosterize, 7, 1, 5},
    {Operation::kPosterize, 8, 0.5, 6},  {Operation::kPosterize, 8, 0, 8},
    {Operation::kSolarize, 3, 1, 170},   {Operation::kSolarize, 9, 0.5, 128},
    {Operation::kSolarize, 3, 0, 256},   {Operation::kEqualize, 0, 0.5, 0},
};

INSTANTIATE_TEST_SUITE_P(All, PolicyMagnitude, testing::ValuesIn(kMagnitudes));

}  // namespace
}  // namespace mobileone
