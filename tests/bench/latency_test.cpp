#include "mobileone/bench/latency.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <chrono>
#include <thread>

namespace mobileone {
namespace {

TEST(MeasureLatency, TimesEachModelAndKeepsTheOrder) {
  const auto sleeper = [](int milliseconds) {
    return TimedModel{std::to_string(milliseconds), [milliseconds](const torch::Tensor& x) {
                        std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
                        return x;
                      }};
  };
  const auto results = measure_latency({sleeper(8), sleeper(1)}, 1, 8, 2, 3);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].name, "8");
  for (const auto& result : results) {
    EXPECT_GE(result.minimum, std::stod(result.name));
    EXPECT_LE(result.minimum, result.median);
    EXPECT_LE(result.median, result.p95);
  }
  EXPECT_GT(results[0].minimum, results[1].minimum);
}

}  // namespace
}  // namespace mobileone
