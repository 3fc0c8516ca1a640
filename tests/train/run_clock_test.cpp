#include "mobileone/train/run_clock.h"

#include <gtest/gtest.h>

namespace mobileone {
namespace {

TEST(RunClock, CountsStepsByTheirPixelsAndValidations) {
  Config config;
  config.schedule.epochs = 4;
  config.curriculum.stages = {{0, 100, 1}, {2, 200, 1}};
  RunClock clock(config, /*batches_per_epoch=*/10);
  EXPECT_LT(clock.left(0, 0), 0);
  clock.add_step(0, 0.5);
  clock.add_step(0, 1.5);  // 1 s a step on average
  EXPECT_NEAR(clock.left(0, 2), 8 + 10 + 40 + 40, 1e-9);
  clock.set_validation(3);
  EXPECT_NEAR(clock.left(0, 2), 98 + 4 * 3, 1e-9);
  EXPECT_NEAR(clock.left(3, 5), 20 + 3, 1e-9);
  clock.add_step(2, 4);
  EXPECT_NEAR(clock.left(3, 5), 20 + 3, 1e-9);
}

}  // namespace
}  // namespace mobileone
