#include "mobileone/bench/latency.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace mobileone {
namespace {

TimedModel sleeper(int milliseconds) {
  return {std::to_string(milliseconds), [milliseconds](const torch::Tensor& x) {
            std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
            return x;
          }};
}

TEST(MeasureLatency, TimesEachModelAndKeepsTheOrder) {
  const auto results =
      measure_latency({sleeper(8), sleeper(1)}, {.size = 8, .rounds = 4, .runs = 3}).models;
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].name, "8");
  for (const auto& result : results) {
    EXPECT_GE(result.minimum, std::stod(result.name));
    EXPECT_GE(result.first, std::stod(result.name));
    EXPECT_LE(result.minimum, result.median);
    EXPECT_LE(result.median, result.p95);
    EXPECT_LE(result.interval.low, result.median);
    EXPECT_GE(result.interval.high, result.median);
    EXPECT_EQ(result.rounds.size(), 4u);
  }
  EXPECT_GT(results[0].minimum, results[1].minimum);
}

TEST(MeasureLatency, TellsTheMemoryOfTheFirstCall) {
  std::vector<char> kept;
  const TimedModel hoarder{"hoarder", [&](const torch::Tensor& x) {
                             kept.resize(64 << 20, 1);
                             return x;
                           }};
  const auto results = measure_latency({hoarder}, {.size = 8, .rounds = 1, .runs = 1});
  EXPECT_GE(results.models[0].memory_mib, 60);
  EXPECT_LE(results.models[0].memory_mib, 80);
}

Latency steady(double milliseconds) {
  return {.name = "steady",
          .minimum = milliseconds,
          .median = milliseconds,
          .p95 = milliseconds,
          .interval = {milliseconds, milliseconds},
          .rounds = std::vector<double>(8, milliseconds)};
}

TEST(LatencyResults, AreBeyondDoubtWhereTheMachineWasQuiet) {
  EXPECT_TRUE((LatencyResults{{steady(3)}, 0.02}).doubts().empty());
}

TEST(LatencyResults, AreDoubtedWhereOthersComputed) {
  EXPECT_EQ((LatencyResults{{steady(3)}, 1.26}).doubts(),
            std::vector<std::string>{"other processes kept 1.3 cores busy"});
}

TEST(LatencyResults, AreDoubtedWhereTheySpreadOrDrift) {
  Latency wide = steady(2), drifting = steady(2);
  wide.interval = {1.9, 2.1};
  drifting.rounds = {2, 2, 2, 2, 2.2, 2.2, 2.2, 2.2};
  const auto doubts = LatencyResults{{wide, drifting}, 0}.doubts();
  ASSERT_EQ(doubts.size(), 2u);
  EXPECT_EQ(doubts[0], "steady: the median is known to 10 % only");
  EXPECT_EQ(doubts[1], "steady: took 1.10 times as long in the second half");
}

}  // namespace
}  // namespace mobileone
