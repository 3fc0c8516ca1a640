#include "mobileone/data/mix.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace mobileone {
namespace {

constexpr int kMixes = 20'000;

/// Mean 1/2 and variance 1 / (4 (2 alpha + 1)); for alpha = 1, uniform.
TEST(RandomBeta, HasItsMoments) {
  for (double alpha : {0.001, 0.2, 0.8, 1.0, 4.0, 50.0}) {
    Random random(1);
    double sum = 0;
    double squares = 0;
    int lowest_quarter = 0;
    for (int i = 0; i < kMixes; ++i) {
      const double weight = random_beta(alpha, random);
      ASSERT_GE(weight, 0);
      ASSERT_LE(weight, 1);
      sum += weight;
      squares += (weight - 0.5) * (weight - 0.5);
      lowest_quarter += weight < 0.25;
    }
    const double variance = 1 / (4 * (2 * alpha + 1));
    EXPECT_NEAR(sum / kMixes, 0.5, 5 * std::sqrt(variance / kMixes)) << alpha;
    EXPECT_NEAR(squares / kMixes, variance, 0.05 * variance) << alpha;
    if (alpha == 1) {
      EXPECT_NEAR(lowest_quarter, kMixes / 4, 310);
    }
  }
}

Mixture drawn(const MixConfig& config, uint64_t seed) {
  Random random(seed);
  return random_mixture(config, 40, 60, random);
}

TEST(Mixture, IsMixupOrCutmixAsOftenAsAsked) {
  const MixConfig config{.mixup = 0.2, .cutmix = 1, .probability = 0.6, .switch_probability = 0.3};
  int mixed = 0;
  int cut = 0;
  for (int seed = 0; seed < kMixes; ++seed) {
    const Mixture mixture = drawn(config, seed);
    mixed += !mixture.cuts && mixture.weight < 1;
    cut += mixture.cuts;
  }
  EXPECT_NEAR(mixed, kMixes * 0.6 * 0.7, 360);
  EXPECT_NEAR(cut, kMixes * 0.6 * 0.3, 280);
  for (int seed = 0; seed < 200; ++seed) {
    EXPECT_FALSE(drawn({.mixup = 0.2}, seed).cuts);
    EXPECT_TRUE(drawn({.cutmix = 0.2}, seed).cuts);
    EXPECT_EQ(drawn({.mixup = 1, .probability = 0}, seed).weight, 1);
  }
}

TEST(Mixture, SharesOfCutmixAreThoseOfItsBox) {
  double kept = 0;
  for (int seed = 0; seed < kMixes; ++seed) {
    const auto [weight, cuts, box] = drawn({.cutmix = 1}, seed);
    ASSERT_GE(box.top, 0);
    ASSERT_GE(box.left, 0);
    ASSERT_LE(box.top + box.height, 40);
    ASSERT_LE(box.left + box.width, 60);
    ASSERT_DOUBLE_EQ(weight, 1 - static_cast<double>(box.height * box.width) / 2400);
    kept += weight;
  }
  // Of a side r, r - r²/4 is left on average where the centre lies anywhere; r² is uniform.
  const double mean_area = [] {
    double sum = 0;
    for (int i = 0; i < 1000; ++i) {
      const double side = std::sqrt((i + 0.5) / 1000);
      sum += std::pow(side - side * side / 4, 2);
    }
    return sum / 1000;
  }();
  EXPECT_NEAR(1 - kept / kMixes, mean_area, 0.02);
}

TEST(MixImages, MixupIsTheLineBetweenTheImages) {
  const at::Tensor images = at::arange(4 * 3 * 5 * 6, at::kFloat)
                                .view({4, 3, 5, 6})
                                .contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor mixed = images.clone();
  mix_images({.weight = 0.3}, mixed);
  EXPECT_TRUE(mixed.allclose(0.3 * images + 0.7 * images.flip(0)));
  mixed.copy_(images);
  mix_images({}, mixed);
  EXPECT_TRUE(mixed.equal(images));
}

TEST(MixImages, CutmixCopiesTheBox) {
  const at::Tensor images = at::rand({5, 3, 8, 9}).contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor mixed = images.clone();
  mix_images({.weight = 0.9, .cuts = true, .box = {2, 1, 3, 4}}, mixed);
  const at::Tensor other = images.flip(0);
  for (int64_t y = 0; y < 8; ++y) {
    for (int64_t x = 0; x < 9; ++x) {
      const bool inside = y >= 2 && y < 5 && x >= 1 && x < 5;
      const auto pixel = [&](const at::Tensor& of) { return of.select(2, y).select(2, x); };
      ASSERT_TRUE(pixel(mixed).equal(pixel(inside ? other : images))) << y << ", " << x;
    }
  }
}

}  // namespace
}  // namespace mobileone
