#include "mobileone/kernels/depthwise.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <memory>
#include <random>
#include <vector>

namespace mobileone::kernels {
namespace {

std::vector<float> random_values(int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.2f);
  std::vector<float> values(static_cast<size_t>(count));
  for (auto& value : values) value = normal(generator);
  return values;
}

/// Everything that the kernels make of one random input.
struct Results {
  std::vector<double> mean, covariance, weight_sums;
  std::vector<float> y, g, dx;
};

Results run(const Depthwise& shape, bool fast, int64_t target) {
  hwy::SetSupportedTargetsForTest(target);
  const int64_t in = shape.images * shape.height * shape.width * shape.channels,
                out = shape.images * shape.out_height() * shape.out_width() * shape.channels,
                taps = shape.taps(), channels = shape.channels;
  const auto x = random_values(in, 1), weight = random_values(taps * channels, 2),
             bias = random_values(channels, 3), e = random_values(taps * channels, 4);
  auto d = random_values(taps * taps * channels, 5);
  for (int64_t i = 0; i < taps; ++i) {
    for (int64_t j = 0; j < i; ++j) {
      for (int64_t c = 0; c < channels; ++c) {
        d[(i * taps + j) * channels + c] = d[(j * taps + i) * channels + c];
      }
    }
  }
  const std::vector<float> shift(static_cast<size_t>(channels), fast ? 0.0f : 0.2f);
  const auto is_fast = std::make_unique<bool[]>(static_cast<size_t>(shape.blocks()));
  std::fill_n(is_fast.get(), shape.blocks(), fast);

  Results r;
  std::vector<double> sums(
      static_cast<size_t>(std::max<int64_t>(shape.moment_rows(), 54) * channels));
  moments(shape, 0, shape.tasks(), x.data(), shift.data(), is_fast.get(), sums.data());
  r.mean.resize(static_cast<size_t>(channels * taps));
  r.covariance.resize(static_cast<size_t>(channels * taps * taps));
  finish_moments(shape, 0, channels, shift.data(), is_fast.get(), sums.data(), r.mean.data(),
                 r.covariance.data());
  r.y.resize(static_cast<size_t>(out));
  convolve(shape, 0, shape.tasks(), x.data(), weight.data(), bias.data(), true, r.y.data());
  r.g = random_values(out, 6);
  r.weight_sums.resize(static_cast<size_t>((taps + 1) * channels));
  backward_weight(shape, 0, shape.tasks(), x.data(), r.y.data(), r.g.data(), r.weight_sums.data());
  InputGradient<float> gradient{weight.data(), d.data(), e.data()};
  std::vector<float> by_offset(static_cast<size_t>(16 * 26 * channels));
  if (fast) {
    sum_by_offset(shape, 0, channels, d.data(), e.data(), by_offset.data());
    gradient.by_offset = by_offset.data();
  }
  r.dx.resize(static_cast<size_t>(in));
  backward_input(shape, 0, shape.tasks(), x.data(), r.g.data(), gradient, r.dx.data());
  hwy::SetSupportedTargetsForTest(0);
  return r;
}

template <typename T>
void expect_near(const std::vector<T>& actual, const std::vector<T>& expected, const char* what) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], 2e-5 * (1 + std::abs(expected[i]))) << what << " " << i;
  }
}

void expect_near(const Results& actual, const Results& expected) {
  expect_near(actual.mean, expected.mean, "mean");
  expect_near(actual.covariance, expected.covariance, "covariance");
  expect_near(actual.y, expected.y, "y");
  expect_near(actual.g, expected.g, "masked gradient");
  expect_near(actual.weight_sums, expected.weight_sums, "gradient of weight and bias");
  expect_near(actual.dx, expected.dx, "gradient of x");
}

class DepthwiseShapes : public testing::TestWithParam<Depthwise> {};

TEST_P(DepthwiseShapes, EveryInstructionSetAgreesWithTheScalarOne) {
  const Depthwise shape = GetParam();
  const bool fast = shape.has_fast_path();
  const Results expected = run(shape, fast, HWY_SCALAR);
  for (const int64_t target : {int64_t{HWY_AVX3}, int64_t{HWY_AVX2}, int64_t{HWY_NEON}}) {
    if ((hwy::SupportedTargets() & target) == 0) continue;
    SCOPED_TRACE(hwy::TargetName(target));
    expect_near(run(shape, fast, target), expected);
  }
}

TEST_P(DepthwiseShapes, TheFastWayEqualsTheGeneralOne) {
  if (!GetParam().has_fast_path()) GTEST_SKIP() << "this kernel has only the general way";
  const auto target = static_cast<int64_t>(hwy::SupportedTargets());
  expect_near(run(GetParam(), true, target), run(GetParam(), false, target));
}

INSTANTIATE_TEST_SUITE_P(
    Depthwise, DepthwiseShapes,
    testing::Values(Depthwise{2, 9, 12, 20, 3, 1, 1}, Depthwise{1, 1, 1, 3, 3, 1, 1},
                    Depthwise{3, 2, 1, 67, 3, 1, 1}, Depthwise{2, 21, 17, 16, 3, 1, 1},
                    Depthwise{2, 9, 12, 20, 3, 2, 1}, Depthwise{2, 18, 35, 5, 3, 2, 1},
                    Depthwise{2, 9, 8, 33, 3, 1, 2}, Depthwise{1, 6, 7, 9, 5, 2, 1},
                    Depthwise{1, 8, 9, 4, 7, 1, 1}));

}  // namespace
}  // namespace mobileone::kernels
