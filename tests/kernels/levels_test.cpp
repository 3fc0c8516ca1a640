#include "mobileone/kernels/levels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace mobileone::kernels {
namespace {

std::vector<uint8_t> noise(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> levels(count);
  for (uint8_t& level : levels) level = static_cast<uint8_t>(random() % 256);
  return levels;
}

int luma(const uint8_t* p) { return (p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16; }

uint8_t blend(int from, int to, float factor) {
  const volatile float change = factor * static_cast<float>(to - from);  // not fused
  return static_cast<uint8_t>(std::clamp(static_cast<float>(from) + change, 0.0f, 255.0f));
}

/// Sizes around those of vectors, so that beginnings and ends are seen alone and together.
class Levels : public testing::TestWithParam<int64_t> {};

TEST_P(Levels, MaskAndInvertEqualTheirFormulas) {
  const std::vector<uint8_t> in = noise(GetParam(), 1);
  std::vector<uint8_t> out(in.size());
  for (int mask : {0, 0xF0, 0xFF}) {
    mask_levels(in.data(), std::ssize(in), static_cast<uint8_t>(mask), out.data());
    for (size_t i = 0; i < in.size(); ++i) ASSERT_EQ(out[i], in[i] & mask) << i;
  }
  for (int first : {0, 1, 128, 255, 256}) {
    invert_levels(in.data(), std::ssize(in), first, out.data());
    for (size_t i = 0; i < in.size(); ++i) {
      ASSERT_EQ(out[i], in[i] >= first ? 255 - in[i] : in[i]) << i << " from " << first;
    }
  }
}

TEST_P(Levels, RangesAndSumsAreThoseOfThePixels) {
  const int64_t pixels = GetParam();
  std::vector<uint8_t> in = noise(3 * pixels, 2);
  for (uint8_t& level : in) level = static_cast<uint8_t>(40 + level / 2);
  std::array<LevelRange, 3> expected;
  int64_t sum = 0;
  for (int64_t i = 0; i < 3 * pixels; ++i) {
    LevelRange& range = expected[i % 3];
    range.low = std::min(range.low, in[i]);
    range.high = std::max(range.high, in[i]);
    if (i % 3 == 0) sum += luma(&in[i]);
  }
  const auto ranges = level_ranges(in.data(), pixels);
  for (int channel = 0; channel < 3; ++channel) {
    EXPECT_EQ(ranges[channel].low, expected[channel].low);
    EXPECT_EQ(ranges[channel].high, expected[channel].high);
  }
  EXPECT_EQ(sum_of_luma(in.data(), pixels), sum);
}

TEST_P(Levels, BlendWithLumaEqualsItsFormula) {
  const int64_t pixels = GetParam();
  const std::vector<uint8_t> in = noise(3 * pixels, 3);
  std::vector<uint8_t> out(in.size());
  for (float factor : {0.0f, 0.1f, 0.6f, 1.0f, 1.7f, 2.0f}) {
    blend_with_luma(in.data(), pixels, factor, out.data());
    for (size_t i = 0; i < in.size(); ++i) {
      ASSERT_EQ(out[i], blend(luma(&in[i - i % 3]), in[i], factor)) << i << " by " << factor;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Counts, Levels,
                         testing::Values(1, 2, 7, 8, 9, 16, 31, 32, 63, 64, 65, 191, 192, 1000));

TEST(Sharpen, EqualsItsFormula) {
  for (int64_t width : {1, 2, 3, 5, 11, 40}) {
    constexpr int64_t kHeight = 6;
    const int64_t stride = 3 * width;
    std::vector<uint8_t> in = noise(kHeight * stride, 4);
    std::fill_n(in.begin(), stride, 255);  // sums as large as they get
    std::vector<uint8_t> out(in.size());
    for (float factor : {0.0f, 0.3f, 1.0f, 1.9f}) {
      sharpen(in.data(), kHeight, width, factor, out.data());
      for (int64_t i = 0; i < std::ssize(in); ++i) {
        const int64_t y = i / stride;
        const int64_t x = i % stride / 3;
        const bool border = y == 0 || y == kHeight - 1 || x == 0 || x == width - 1;
        int sum = 4 * in[i];
        for (int64_t row = -1; row <= 1 && !border; ++row) {
          for (int64_t side = -3; side <= 3; side += 3) sum += in[i + row * stride + side];
        }
        const int expected = border ? in[i] : blend((2 * sum + 13) / 26, in[i], factor);
        ASSERT_EQ(out[i], expected) << i << " of width " << width << " by " << factor;
      }
    }
  }
}

/// Whatever the number of lanes; that pixels are Pillow's, tests of data/ say.
TEST_P(Levels, TurningHueIsTheSameAloneAndAmongOthers) {
  const int64_t pixels = GetParam();
  const std::vector<uint8_t> in = noise(3 * pixels, 5);
  std::vector<uint8_t> out(in.size()), alone(3);
  for (const int turn : {-127, -13, 0, 12, 127}) {
    turn_hue(in.data(), pixels, turn, out.data());
    for (int64_t i = 0; i < pixels; ++i) {
      turn_hue(in.data() + 3 * i, 1, turn, alone.data());
      ASSERT_TRUE(std::equal(alone.begin(), alone.end(), out.begin() + 3 * i)) << i;
    }
  }
}

TEST(TurnHue, OfKnownColours) {
  const std::vector<uint8_t> in = {255, 0, 0, 0, 255, 0, 0, 0, 255, 7, 7, 7, 200, 100, 50};
  std::vector<uint8_t> out(in.size());
  turn_hue(in.data(), 5, 85, out.data());
  EXPECT_EQ(out, (std::vector<uint8_t>{0, 255, 0, 0, 0, 255, 255, 0, 0, 7, 7, 7, 50, 200, 100}));
}

TEST(SampleBilinear, EqualsItsFormulaToTheLastPixel) {
  constexpr int64_t kHeight = 9, kWidth = 21;
  const std::vector<uint8_t> in = noise(3 * kHeight * kWidth, 6);
  const auto level = [&](int64_t y, int64_t x, int64_t channel) {
    const int64_t row = std::clamp<int64_t>(y, 0, kHeight - 1);
    return static_cast<double>(
        in[3 * (row * kWidth + std::clamp<int64_t>(x, 0, kWidth - 1)) + channel]);
  };
  for (int64_t row = 0; row < kHeight; ++row) {
    const Line line{0.9,  0.03 * static_cast<double>(row), 0.2,  //
                    0.02, static_cast<double>(row) + 0.5,  0.04};
    for (int64_t begin = 0; begin <= kWidth; ++begin) {
      std::vector<uint8_t> out(3 * (kWidth - begin), 0);
      sample_bilinear(in.data(), kHeight, kWidth, line, begin, kWidth, out.data());
      for (int64_t i = 0; i < std::ssize(out); ++i) {
        const double middle = static_cast<double>(begin + i / 3) + 0.5;
        const volatile double x = line.step_x * middle, y = line.step_y * middle;  // not fused
        const double at_x = x + line.row_x + line.x0 - 0.5, at_y = y + line.row_y + line.y0 - 0.5;
        const auto left = static_cast<int64_t>(std::floor(at_x));
        const auto top = static_cast<int64_t>(std::floor(at_y));
        const auto between = [](double a, double b, double share) {
          const volatile double part = (b - a) * share;
          return a + part;
        };
        const double share = at_x - static_cast<double>(left);
        const double upper = between(level(top, left, i % 3), level(top, left + 1, i % 3), share);
        const double lower =
            between(level(top + 1, left, i % 3), level(top + 1, left + 1, i % 3), share);
        const double expected = between(upper, lower, at_y - static_cast<double>(top));
        ASSERT_EQ(out[i], static_cast<uint8_t>(expected)) << row << ", " << begin << ", " << i;
      }
    }
  }
}

}  // namespace
}  // namespace mobileone::kernels
