#include "mobileone/report/axis.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace mobileone {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<std::string> labels(const Axis& axis, const std::vector<double>& values, int most) {
  std::vector<std::string> found;
  for (const auto& tick : Scale(axis, values).ticks(most)) found.push_back(tick.label);
  return found;
}

using Labels = std::vector<std::string>;

TEST(Axis, LinearTicksAreRound) {
  EXPECT_EQ(labels({}, {0.03, 0.97}, 6), (Labels{"0", "0.2", "0.4", "0.6", "0.8", "1.0"}));
  EXPECT_EQ(labels({}, {1, 300}, 7), (Labels{"0", "50", "100", "150", "200", "250", "300"}));
  EXPECT_EQ(labels({}, {-3.5, 4.25}, 5), (Labels{"−2", "0", "2", "4"}));
  EXPECT_EQ(labels({}, {0, 25000}, 4), (Labels{"0", "10,000", "20,000"}));
  EXPECT_EQ(labels({}, {1e-5, 4e-5}, 4), (Labels{"10⁻⁵", "2×10⁻⁵", "3×10⁻⁵", "4×10⁻⁵"}));
  EXPECT_EQ(labels({}, {0, 5e6}, 3), (Labels{"0", "2×10⁶", "4×10⁶"}));
}

TEST(Axis, WholeNumbersHaveWholeTicks) {
  EXPECT_EQ(labels({}, {1, 3}, 8), (Labels{"1", "2", "3"}));
  EXPECT_EQ(labels({}, {7}, 8), (Labels{"7"}));
  EXPECT_EQ(labels({}, {0}, 8), (Labels{"0"}));
}

TEST(Axis, LogarithmicTicksFillTheRoom) {
  EXPECT_EQ(labels({.log = true}, {1e-6, 1}, 8),
            (Labels{"10⁻⁶", "10⁻⁵", "10⁻⁴", "0.001", "0.01", "0.1", "1"}));
  EXPECT_EQ(labels({.log = true}, {1e-6, 1}, 4), (Labels{"10⁻⁶", "10⁻⁴", "0.01", "1"}));
  EXPECT_EQ(labels({.log = true}, {1, 100}, 8), (Labels{"1", "2", "5", "10", "20", "50", "100"}));
  EXPECT_EQ(labels({.log = true}, {1, 100}, 6), (Labels{"1", "3", "10", "30", "100"}));
  EXPECT_EQ(labels({.log = true}, {20, 60}, 5), (Labels{"20", "30", "40", "50", "60"}));
}

TEST(Axis, NeverMoreTicksThanAskedForAndAlwaysInside) {
  for (const bool log : {false, true}) {
    for (double low = 1e-9; low < 1e9; low *= 7.3) {
      for (double factor = 1.0001; factor < 1e12; factor *= 3.1) {
        const Scale scale({.log = log}, {low, low * factor});
        const auto ticks = scale.ticks(6);
        ASSERT_LE(ticks.size(), 6u) << low << " " << factor << " " << log;
        ASSERT_GE(ticks.size(), 2u) << low << " " << factor << " " << log;
        for (const auto& tick : ticks) {
          EXPECT_GE(scale.position(tick.value), -1e-6);
          EXPECT_LE(scale.position(tick.value), 1 + 1e-6);
        }
      }
    }
  }
}

TEST(Axis, ShowsWhatHasAPlace) {
  const Scale log({.log = true}, {1, 10});
  EXPECT_FALSE(log.shows(0));
  EXPECT_FALSE(log.shows(-1));
  EXPECT_TRUE(log.shows(1e-9));
  const Scale unit({.from = 0, .to = 1}, {0.5});
  EXPECT_TRUE(unit.shows(0));
  EXPECT_TRUE(unit.shows(1));
  EXPECT_FALSE(unit.shows(1.01));
  EXPECT_FALSE(unit.shows(std::nan("")));
  EXPECT_FALSE(Scale({}, {}).shows(kInfinity));
  EXPECT_DOUBLE_EQ(unit.position(0.25), 0.25);
}

TEST(Axis, HoldsOutWithAnyValues) {
  for (const double value : {0.0, 1.0, -1.0, 5e-324, 1e-310, 1e300, -1e300, 1.7e308, kInfinity,
                             -kInfinity, std::nan("")}) {
    for (const double other : {value, 0.0, 1e300, 1 + 1e-16, 3e-320, -2.5}) {
      for (const bool log : {false, true}) {
        const Scale scale({.log = log}, {value, other});
        EXPECT_LE(scale.ticks(6).size(), 6u) << value << " " << other;
        if (scale.shows(value)) {
          EXPECT_TRUE(std::isfinite(scale.position(value))) << value << " " << other;
        }
      }
    }
  }
}

}  // namespace
}  // namespace mobileone
