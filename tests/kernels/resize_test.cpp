#include "mobileone/kernels/resize.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <random>
#include <vector>

namespace mobileone::kernels {
namespace {

/// Every instruction set of this machine in turn.
class Resize : public testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override {
    if ((hwy::SupportedTargets() & GetParam()) == 0) GTEST_SKIP() << "not on this machine";
    hwy::SetSupportedTargetsForTest(GetParam());
  }
  void TearDown() override { hwy::SetSupportedTargetsForTest(0); }
};

/// Random weights of up to `most` inputs out of `inputs`, some of them negative, for each output.
struct RandomTaps {
  RandomTaps(int64_t outputs, int64_t inputs, int64_t most_taps, std::mt19937& random)
      : most(most_taps) {
    for (int64_t o = 0; o < outputs; ++o) {
      count.push_back(1 + static_cast<int64_t>(random() % std::min(most, inputs)));
      first.push_back(static_cast<int64_t>(random() % (inputs - count.back() + 1)));
      for (int64_t k = 0; k < most; ++k) {
        weights.push_back(static_cast<int32_t>(random() % (1 << 20)) - (1 << 18));
      }
    }
  }
  Taps taps() const { return {first.data(), count.data(), weights.data(), most}; }

  /// Output o of the levels at `in`, which are `step` apart.
  uint8_t level(int64_t o, const uint8_t* in, int64_t step) const {
    int32_t sum = 1 << (kFractionBits - 1);
    for (int64_t k = 0; k < count[o]; ++k) sum += weights[most * o + k] * in[(first[o] + k) * step];
    return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
  }

  int64_t most;
  std::vector<int64_t> first, count;
  std::vector<int32_t> weights;
};

std::vector<uint8_t> random_levels(int64_t count, std::mt19937& random) {
  std::vector<uint8_t> levels(count);
  for (uint8_t& level : levels) level = static_cast<uint8_t>(random());
  return levels;
}

TEST_P(Resize, WeighsRowsOfAnyWidth) {
  std::mt19937 random(1);
  for (int64_t width = 1; width < 120; ++width) {
    const int64_t rows = 9, outputs = 5, in_stride = width + 3, out_stride = width + 2;
    const RandomTaps taps(outputs, rows, 4, random);
    const auto in = random_levels(rows * in_stride, random);
    std::vector<uint8_t> out(outputs * out_stride, 7);
    weigh_rows(taps.taps(), 1, outputs, in.data(), in_stride, width, out.data(), out_stride);
    for (int64_t o = 1; o < outputs; ++o) {
      for (int64_t i = 0; i < width; ++i) {
        ASSERT_EQ(out[(o - 1) * out_stride + i], taps.level(o, in.data() + i, in_stride))
            << "width " << width << ", output " << o << ", level " << i;
      }
      ASSERT_EQ(out[(o - 1) * out_stride + width], 7) << "wrote beyond its row";
    }
  }
}

TEST_P(Resize, WeighsColumnsOfAnyNumberOfRows) {
  std::mt19937 random(2);
  for (int64_t rows = 1; rows < 40; ++rows) {
    const int64_t columns = 11, outputs = 6, in_stride = 3 * columns + 4,
                  out_stride = 3 * outputs + 2;
    const RandomTaps taps(outputs, columns, 5, random);
    // No byte behind the last pixel, and none before the first, belongs to the image.
    const auto in = random_levels((rows - 1) * in_stride + 3 * columns, random);
    std::vector<uint8_t> out(rows * out_stride, 7);
    weigh_columns(taps.taps(), outputs, in.data(), in_stride, rows, out.data(), out_stride);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t i = 0; i < 3 * outputs; ++i) {
        ASSERT_EQ(out[r * out_stride + i], taps.level(i / 3, in.data() + r * in_stride + i % 3, 3))
            << rows << " rows, row " << r << ", level " << i;
      }
      ASSERT_EQ(out[r * out_stride + 3 * outputs], 7) << "wrote beyond its row";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Resize,
                         testing::Values(int64_t{HWY_AVX3}, int64_t{HWY_AVX2}, int64_t{HWY_NEON},
                                         int64_t{HWY_SCALAR}));

TEST(LookUpLevels, TakesEachChannelsTable) {
  std::vector<float> levels(3 * 256);
  for (size_t i = 0; i < levels.size(); ++i) levels[i] = static_cast<float>(i);
  const std::vector<uint8_t> in = {0, 1, 2, 255, 254, 253};
  std::vector<float> out(6);
  look_up_levels(2, in.data(), levels.data(), out.data());
  EXPECT_EQ(out, (std::vector<float>{0, 257, 514, 255, 510, 765}));
}

}  // namespace
}  // namespace mobileone::kernels
