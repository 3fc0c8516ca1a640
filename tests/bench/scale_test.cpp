#include "mobileone/bench/scale.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace mobileone {
namespace {

/// Two buckets that are there after 60 and 90 of 100 ms.
StepTimeline timeline() {
  return {.bucket_bytes = {8e6, 4e6},
          .bucket_ready = {0.06, 0.09},
          .backward_end = 0.1,
          .step_end = 0.11};
}

TEST(Scale, ASumIsARing) {
  const Link link{.latency = 1e-3, .bandwidth = 1e9};
  EXPECT_DOUBLE_EQ(sum_seconds(8e6, 1, link), 0);
  EXPECT_DOUBLE_EQ(sum_seconds(8e6, 2, link), 2 * (1e-3 + 4e-3));
  EXPECT_DOUBLE_EQ(sum_seconds(8e6, 4, link), 6 * (1e-3 + 2e-3));
}

TEST(Scale, OneProcessWaitsForNobody) {
  const ScaledStep step = scale_step(timeline(), 1, {}, 4);
  EXPECT_DOUBLE_EQ(step.seconds, 0.11);
  EXPECT_EQ(step.bound, "compute");
}

TEST(Scale, SumsHideBehindTheBackwardPassWhereTheyCan) {
  // 8 and 4 ms: the first is done long before the backward pass, the second 90 + 4 of 100 ms.
  const ScaledStep fast = scale_step(timeline(), 2, {.latency = 0, .bandwidth = 1e9}, 0);
  EXPECT_DOUBLE_EQ(fast.communication, 0.012);
  EXPECT_DOUBLE_EQ(fast.exposed, 0);
  EXPECT_EQ(fast.bound, "compute");
  // 80 and 40 ms: the second waits for the first.
  const ScaledStep slow = scale_step(timeline(), 2, {.latency = 0, .bandwidth = 1e8}, 0);
  EXPECT_NEAR(slow.exposed, 0.06 + 0.08 + 0.04 - 0.1, 1e-12);
  EXPECT_NEAR(slow.seconds, 0.11 + slow.exposed, 1e-12);
  EXPECT_EQ(slow.bound, "bandwidth");
  const ScaledStep far = scale_step(timeline(), 64, {.latency = 1e-3, .bandwidth = 1e12}, 4);
  EXPECT_EQ(far.bound, "latency");
  EXPECT_GT(far.exposed, 4 * 126e-3) << "nothing hides the exchanges";
}

TEST(Scale, TimesAreLinearInTheBatch) {
  StepTimeline twice = timeline();
  twice.backward_end *= 2;
  twice.bucket_ready = {0.12, 0.18};
  const auto between = StepTimeline::at_batch(6, timeline(), 4, twice, 8);
  EXPECT_DOUBLE_EQ(between.backward_end, 0.15);
  EXPECT_DOUBLE_EQ(between.bucket_ready[0], 0.09);
  EXPECT_DOUBLE_EQ(between.step_end, 0.11);
  EXPECT_EQ(between.bucket_bytes, timeline().bucket_bytes);
}

TEST(Scale, ATimelineIsInOrder) {
  Config config;
  config.model.width_multipliers = {0.25, 0.25, 0.25, 0.25};
  config.model.depths = {1, 1, 1, 1};
  const StepTimeline measured = measure_timeline(config, 4, 32, 2);
  ASSERT_FALSE(measured.bucket_ready.empty());
  EXPECT_TRUE(std::is_sorted(measured.bucket_ready.begin(), measured.bucket_ready.end()));
  EXPECT_GT(measured.bucket_ready[0], 0);
  EXPECT_LE(measured.bucket_ready.back(), measured.backward_end);
  EXPECT_LE(measured.backward_end, measured.step_end);
}

TEST(Scale, ALinkIsMeasured) {
  const Link link = measure_link();
  EXPECT_GT(link.latency, 0);
  EXPECT_LT(link.latency, 1);
  EXPECT_GT(link.bandwidth, 1e6);
}

}  // namespace
}  // namespace mobileone
