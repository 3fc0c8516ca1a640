#include "mobileone/kernels/depthwise.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "cuda/depthwise_threads.h"

namespace mobileone::kernels {
namespace {

std::vector<float> random_values(int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.2f);
  std::vector<float> values(static_cast<size_t>(count));
  for (auto& value : values) value = normal(generator);
  return values;
}

/// One random input of all kernels.
struct Inputs {
  explicit Inputs(const Depthwise& shape)
      : x(random_values(shape.images * shape.height * shape.width * shape.channels, 1)),
        weight(random_values(shape.taps() * shape.channels, 2)),
        bias(random_values(shape.channels, 3)),
        e(random_values(shape.taps() * shape.channels, 4)),
        d(random_values(shape.taps() * shape.taps() * shape.channels, 5)),
        g(random_values(shape.images * shape.out_height() * shape.out_width() * shape.channels, 6)),
        shift(static_cast<size_t>(shape.channels), 0.2f) {
    const int64_t taps = shape.taps(), channels = shape.channels;
    for (int64_t i = 0; i < taps; ++i) {
      for (int64_t j = 0; j < i; ++j) {
        for (int64_t c = 0; c < channels; ++c) {
          d[(i * taps + j) * channels + c] = d[(j * taps + i) * channels + c];
        }
      }
    }
  }

  std::vector<float> x, weight, bias, e, d, g, shift;
};

/// Everything that the kernels make of it; as large as it must be, and zero.
struct Results {
  Results(const Depthwise& shape, const Inputs& in)
      : mean(static_cast<size_t>(shape.channels * shape.taps())),
        covariance(mean.size() * static_cast<size_t>(shape.taps())),
        weight_sums(static_cast<size_t>((shape.taps() + 1) * shape.channels)),
        y(in.g.size()),
        g(in.g),
        dx(in.x.size()) {}

  std::vector<double> mean, covariance, weight_sums;
  std::vector<float> y, g, dx;
};

Results run(const Depthwise& shape, bool fast, bool fast_input, int64_t target) {
  hwy::SetSupportedTargetsForTest(target);
  Inputs in(shape);
  Results r(shape, in);
  const int64_t channels = shape.channels;
  if (fast) std::fill(in.shift.begin(), in.shift.end(), 0.0f);
  const auto is_fast = std::make_unique<bool[]>(static_cast<size_t>(shape.blocks()));
  std::fill_n(is_fast.get(), shape.blocks(), fast);

  std::vector<double> sums(
      static_cast<size_t>(std::max<int64_t>(shape.moment_rows(), 54) * channels));
  moments(shape, 0, shape.tasks(), in.x.data(), in.shift.data(), is_fast.get(), sums.data());
  finish_moments(shape, 0, channels, in.shift.data(), is_fast.get(), sums.data(), r.mean.data(),
                 r.covariance.data());
  convolve(shape, 0, shape.tasks(), in.x.data(), in.weight.data(), in.bias.data(), true,
           r.y.data());
  backward_weight(shape, 0, shape.tasks(), in.x.data(), r.y.data(), r.g.data(),
                  r.weight_sums.data());
  InputGradient<float> gradient{in.weight.data(), in.d.data(), in.e.data()};
  std::vector<float> by_offset(static_cast<size_t>(shape.by_offset_size()));
  if (fast_input) {
    sum_by_offset(shape, 0, shape.blocks(), in.d.data(), in.e.data(), by_offset.data());
    gradient.by_offset = by_offset.data();
  }
  backward_input(shape, 0, shape.tasks(), in.x.data(), r.g.data(), gradient, r.dx.data());
  hwy::SetSupportedTargetsForTest(0);
  return r;
}

/// The same, by running every thread of the CUDA kernels in turn.
Results run_cuda_threads(const Depthwise& shape, bool by_offset_way) {
  const Inputs in(shape);
  Results r(shape, in);
  const int64_t channels = shape.channels, strips = cuda::strips(shape);
  std::vector<float> moment_parts(static_cast<size_t>(strips * cuda::kMomentRows * channels)),
      weight_parts(static_cast<size_t>(strips * (cuda::kTaps + 1) * channels));
  const auto for_threads = [&](int64_t parts, const auto& thread) {
    for (int64_t part = 0; part < parts; ++part) {
      for (int64_t c = 0; c < channels; ++c) thread(part, c);
    }
  };
  const auto add_up = [&](const std::vector<float>& parts, std::vector<double>& sums) {
    for (size_t i = 0; i < parts.size(); ++i) sums[i % sums.size()] += parts[i];
  };
  for_threads(strips, [&](int64_t strip, int64_t c) {
    cuda::moments_of_strip(shape, strip, c, in.x.data(), in.shift.data(), moment_parts.data());
    cuda::convolve_strip(shape, strip, c, in.x.data(), in.weight.data(), in.bias.data(), true,
                         r.y.data());
    cuda::backward_weight_of_strip(shape, strip, c, in.x.data(), r.y.data(), r.g.data(),
                                   weight_parts.data());
  });
  std::vector<double> sums(static_cast<size_t>(cuda::kMomentRows * channels));
  add_up(moment_parts, sums);
  add_up(weight_parts, r.weight_sums);
  const auto none_fast = std::make_unique<bool[]>(static_cast<size_t>(shape.blocks()));
  finish_moments(shape, 0, channels, in.shift.data(), none_fast.get(), sums.data(), r.mean.data(),
                 r.covariance.data());

  InputGradient<float> gradient{in.weight.data(), in.d.data(), in.e.data()};
  std::vector<float> by_offset(static_cast<size_t>(shape.by_offset_size()));
  if (by_offset_way) {
    for_threads(Depthwise::kPixelKinds, [&](int64_t kind, int64_t c) {
      sum_factors(shape, c, 1, kind, in.d.data(), in.e.data(), by_offset.data());
    });
    gradient.by_offset = by_offset.data();
  }
  for_threads(shape.images * shape.height, [&](int64_t row, int64_t c) {
    if (by_offset_way) {
      cuda::backward_input_of_row_by_offset(shape, row, c, in.x.data(), r.g.data(), gradient,
                                            r.dx.data());
    } else {
      cuda::backward_input_of_row(shape, row, c, in.x.data(), r.g.data(), gradient, r.dx.data());
    }
  });
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
  const bool fast = shape.has_fast_path(), fast_input = shape.has_fast_input();
  const Results expected = run(shape, fast, fast_input, HWY_SCALAR);
  for (const int64_t target : {int64_t{HWY_AVX3}, int64_t{HWY_AVX2}, int64_t{HWY_NEON}}) {
    if ((hwy::SupportedTargets() & target) == 0) continue;
    SCOPED_TRACE(hwy::TargetName(target));
    expect_near(run(shape, fast, fast_input, target), expected);
  }
}

TEST_P(DepthwiseShapes, TheFastWayEqualsTheGeneralOne) {
  const Depthwise shape = GetParam();
  const bool fast = shape.has_fast_path(), fast_input = shape.has_fast_input();
  if (!fast && !fast_input) GTEST_SKIP() << "this kernel has only the general way";
  const auto target = static_cast<int64_t>(hwy::SupportedTargets());
  expect_near(run(shape, fast, fast_input, target), run(shape, false, false, target));
}

TEST_P(DepthwiseShapes, TheThreadsOfACudaDeviceDoTheSame) {
  const Depthwise shape = GetParam();
  if (shape.kernel != 3) GTEST_SKIP() << "the CUDA kernels are 3x3";
  const Results expected = run(shape, false, false, static_cast<int64_t>(hwy::SupportedTargets()));
  expect_near(run_cuda_threads(shape, false), expected);
  if (shape.has_fast_path()) expect_near(run_cuda_threads(shape, true), expected);
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
