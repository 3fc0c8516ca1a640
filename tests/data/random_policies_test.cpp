#include "mobileone/data/random_policies.h"

#include <map>
#include <string>

#include "data/support.h"
#include "mobileone/data/transforms.h"
#include "mobileone/util/csv.h"

namespace mobileone {
namespace {

constexpr int kDraws = 30'000;

struct Counts {
  std::map<std::string, int> operations;
  std::map<std::string, int> negative;
  std::map<double, int> brightness;  // by magnitude
  int steps = 0;
};

template <typename F>
Counts count_steps(F&& draw) {
  Counts counts;
  for (uint64_t i = 0; i < kDraws; ++i) {
    Random random(i);
    for (const auto& [operation, magnitude] : draw(random)) {
      const std::string name(to_string(operation));
      ++counts.operations[name];
      counts.negative[name] += magnitude < 0;
      if (operation == Operation::kBrightness) ++counts.brightness[std::abs(magnitude)];
      ++counts.steps;
    }
  }
  return counts;
}

/// Each of the operations as often, within five standard deviations, and half of those that have
/// a sign negative.
void expect_even(const Counts& counts, MagnitudeSpace space, double steps_per_image) {
  const auto operations = policy_operations(space);
  const double each = kDraws * steps_per_image / static_cast<double>(operations.size());
  size_t expected = 0;
  for (const auto& operation : operations) {
    if (!operation) continue;
    ++expected;
    const std::string name(to_string(*operation));
    ASSERT_TRUE(counts.operations.contains(name)) << name;
    EXPECT_NEAR(counts.operations.at(name), each, 5 * std::sqrt(each)) << name;
    const int negative = counts.negative.at(name);
    if (has_sign(*operation)) {
      EXPECT_NEAR(negative, each / 2, 5 * std::sqrt(each)) << name;
    } else {
      EXPECT_EQ(negative, 0) << name;
    }
  }
  EXPECT_EQ(counts.operations.size(), expected);
}

TEST(RandAugment, OfTorchvisionDrawsOperationsEvenlyAtOneMagnitude) {
  const RandAugmentConfig config;
  const Counts counts =
      count_steps([&](Random& random) { return rand_augment_steps(config, 1, 100, 100, random); });
  expect_even(counts, MagnitudeSpace::kRandAugment, 2);
  ASSERT_EQ(counts.brightness.size(), 1u);
  EXPECT_NEAR(counts.brightness.begin()->first, 0.27, 1e-6);
}

TEST(RandAugment, OfTimmAppliesHalfOfThemAtNormalMagnitudes) {
  const RandAugmentConfig config{
      .space = RandAugmentSpace::kTimm, .operations = 3, .magnitude = 7, .magnitude_std = 0.5};
  const Counts counts =
      count_steps([&](Random& random) { return rand_augment_steps(config, 1, 100, 100, random); });
  expect_even(counts, MagnitudeSpace::kIncreasing, 1.5);
  double sum = 0;
  double squares = 0;
  int drawn = 0;
  for (const auto& [magnitude, count] : counts.brightness) {
    const double level = magnitude / 0.09;
    sum += level * count;
    squares += level * level * count;
    drawn += count;
  }
  const double mean = sum / drawn;
  EXPECT_NEAR(mean, 7, 5 * 0.5 / std::sqrt(drawn));
  EXPECT_NEAR(std::sqrt(squares / drawn - mean * mean), 0.5, 0.03);
}

TEST(RandAugment, KeepsMagnitudesWithinTheSpace) {
  const RandAugmentConfig config{
      .space = RandAugmentSpace::kTimm, .magnitude = 9, .magnitude_std = 100};
  const Counts counts =
      count_steps([&](Random& random) { return rand_augment_steps(config, 1, 100, 100, random); });
  EXPECT_EQ(counts.brightness.begin()->first, 0);
  EXPECT_EQ(counts.brightness.rbegin()->first, 0.9);
}

TEST(TrivialAugment, DrawsOperationsAndLevelsEvenly) {
  const Counts counts =
      count_steps([](Random& random) { return trivial_augment_steps(1, 100, 100, random); });
  expect_even(counts, MagnitudeSpace::kTrivialWide, 1);
  ASSERT_EQ(counts.brightness.size(), 31u);
  const double each = kDraws / 14.0 / 31;
  for (const auto& [magnitude, count] : counts.brightness) {
    EXPECT_NEAR(count, each, 5 * std::sqrt(each)) << magnitude;
  }
}

/// Whole policies with fixed draws, on Pillow images.
TEST(RandomPolicies, GivePillowsPixels) {
  const at::Tensor image = read_image(golden("rgb.png"));
  const at::Tensor expected = golden_result("policies");
  const auto rows = parse_csv(read_file(golden("policies.csv")), "policies.csv");
  std::map<int64_t, std::vector<OperationStep>> policies;
  for (size_t i = 1; i < rows.size(); ++i) {
    const auto names = enum_names(Operation{});
    const auto found = std::find_if(names.begin(), names.end(), [&](const auto& entry) {
      return entry.name == rows[i].fields[2];
    });
    ASSERT_NE(found, names.end()) << rows[i].fields[2];
    const auto space =
        rows[i].fields[1] == "rand" ? MagnitudeSpace::kRandAugment : MagnitudeSpace::kTrivialWide;
    const double magnitude = magnitude_at(space, found->value, std::stod(rows[i].fields[3]), 1,
                                          image.size(0), image.size(1));
    const bool negative = rows[i].fields[4] == "-";
    policies[std::stoll(rows[i].fields[0])].push_back(
        {found->value, negative ? -magnitude : magnitude});
  }
  ASSERT_GT(policies.size(), 50u);
  for (const auto& [row, steps] : policies) {
    const at::Tensor result = apply_operations(image, steps);
    EXPECT_EQ(largest_difference(result, expected.narrow(0, row * image.size(0), image.size(0))), 0)
        << "row " << row << ", " << to_string(steps.front().operation);
  }
}

class RandomPolicy : public testing::TestWithParam<Policy> {
 protected:
  at::Tensor augmented(double strength, Random& random) const {
    AugmentConfig augment;
    augment.policy = GetParam();
    return augment_image(augment, strength, image_, random);
  }
  const at::Tensor image_ = read_image(golden("operations.png"));
};

TEST_P(RandomPolicy, IsTheIdentityAtNoStrength) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Random random(seed);
    ASSERT_EQ(largest_difference(augmented(0, random), image_), 0) << seed;
  }
}

TEST_P(RandomPolicy, ChangesMoreWhenStronger) {
  const auto mean_change = [&](double strength) {
    double sum = 0;
    for (uint64_t seed = 0; seed < 300; ++seed) {
      Random random(seed);
      const at::Tensor change = augmented(strength, random).to(at::kFloat) - image_.to(at::kFloat);
      sum += change.abs().mean().item<double>();
    }
    return sum / 300;
  };
  const double weak = mean_change(0.3);
  EXPECT_GT(weak, 1);
  EXPECT_GT(mean_change(1), weak);
}

TEST_P(RandomPolicy, DrawsAsManyNumbersWhateverTheStrength) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Random first(seed);
    Random second(seed);
    augmented(0.2, first);
    augmented(1, second);
    EXPECT_EQ(first.bits(), second.bits());
  }
}

INSTANTIATE_TEST_SUITE_P(All, RandomPolicy,
                         testing::Values(Policy::kRandAugment, Policy::kTrivialAugment),
                         [](const auto& test) { return std::string(to_string(test.param)); });

}  // namespace
}  // namespace mobileone
