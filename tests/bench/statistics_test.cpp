#include "mobileone/bench/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "mobileone/util/random.h"

namespace mobileone {
namespace {

TEST(Quantile, LiesBetweenNeighbours) {
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 0), 1);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 1), 4);
  EXPECT_DOUBLE_EQ(quantile({7}, 0.95), 7);
}

TEST(Correlation, OfOrders) {
  const std::vector<double> up{1, 2, 3, 4}, curved{1, 10, 100, 1e6}, down{4, 3, 2, 1};
  for (const auto& statistic : {spearman, kendall}) {
    EXPECT_DOUBLE_EQ(statistic(up, curved), 1);
    EXPECT_DOUBLE_EQ(statistic(up, down), -1);
    EXPECT_TRUE(std::isnan(statistic(up, {5, 5, 5, 5})));
  }
}

/// By hand: ranks 1 2.5 2.5 4 and 1 2 3 4; five of six pairs agree, one is a tie of x.
TEST(Correlation, SharesTies) {
  const std::vector<double> x{1, 2, 2, 3}, y{1, 2, 3, 4};
  EXPECT_NEAR(spearman(x, y), 4.5 / std::sqrt(4.5 * 5), 1e-12);
  EXPECT_NEAR(kendall(x, y), 5 / std::sqrt(5 * 6.0), 1e-12);
}

TEST(Bootstrap, CoversTheMeanAsOftenAsItSays) {
  constexpr int kTrials = 200, kCount = 60;
  int covered = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    Random random(1, {static_cast<uint64_t>(trial)});
    std::vector<double> values(kCount);
    for (auto& value : values) value = random.normal();
    const Interval interval = bootstrap(kCount, [&](const std::vector<int64_t>& indices) {
      return std::accumulate(indices.begin(), indices.end(), 0.0,
                             [&](double sum, int64_t i) { return sum + values[i] / kCount; });
    });
    covered += interval.low <= 0 && 0 <= interval.high;
  }
  EXPECT_GE(covered, 0.88 * kTrials);
  EXPECT_LE(covered, 0.99 * kTrials);
}

}  // namespace
}  // namespace mobileone
