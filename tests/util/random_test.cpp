#include "mobileone/util/random.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

namespace mobileone {
namespace {

TEST(Random, SameSeedAndKeysSameStream) {
  Random a(7, {1, 2}), b(7, {1, 2});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.bits(), b.bits());
}

TEST(Random, StreamsOfNeighbouringKeysDiffer) {
  std::set<uint64_t> first_draws;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    for (uint64_t epoch = 0; epoch < 10; ++epoch) {
      for (uint64_t index = 0; index < 100; ++index)
        first_draws.insert(Random(seed, {epoch, index}).bits());
    }
  }
  EXPECT_EQ(first_draws.size(), 10u * 10 * 100);
}

TEST(Random, UniformHasItsMomentsAndBounds) {
  Random random(1);
  double sum = 0, squares = 0;
  const int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double x = random.uniform();
    ASSERT_GE(x, 0);
    ASSERT_LT(x, 1);
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / n, 0.5, 0.005);
  EXPECT_NEAR(squares / n, 1.0 / 3, 0.005);
}

TEST(Random, NormalHasItsMoments) {
  Random random(2);
  double sum = 0, squares = 0;
  const int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / n, 0, 0.015);
  EXPECT_NEAR(squares / n, 1, 0.02);
}

TEST(Random, IntegersAreUniform) {
  Random random(3);
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) ++counts[random.integer(7)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 400);
}

TEST(Random, ShufflesAreUniformPermutations) {
  std::vector<int> first(5);
  for (uint64_t seed = 0; seed < 10000; ++seed) {
    std::vector<int> values(5);
    std::iota(values.begin(), values.end(), 0);
    Random(seed).shuffle(values);
    ++first[values[0]];
    EXPECT_EQ(std::set<int>(values.begin(), values.end()).size(), 5u);
  }
  for (const int count : first) EXPECT_NEAR(count, 2000, 200);
}

}  // namespace
}  // namespace mobileone
