#include "mobileone/optim/memory.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "mobileone/util/error.h"

namespace mobileone {
namespace {

constexpr double kGiB = 1 << 30;

Config ten_classes() {
  Config config;
  config.model.num_classes = 10;
  config.runtime.device = DeviceChoice::kCpu;
  config.schedule.batch_size = 64;
  return config;
}

std::string refusal(const Config& config, const Place& place = {}) {
  try {
    require_memory(config, place);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(TrainingMemory, GrowsWithWhatTakesIt) {
  const Config config = ten_classes();
  const auto total = [](const Config& changed) { return training_memory(changed).total(); };
  const double plain = total(config);
  Config other = config;
  other.runtime.engine = Engine::kBranches;
  EXPECT_GT(total(other), 2 * plain);
  other = config;
  other.schedule.accumulate = 4;
  EXPECT_LT(total(other), 0.5 * plain);
  other = config;
  other.runtime.precision = Precision::kBfloat16;
  EXPECT_LT(total(other), plain);
  other = config;
  other.curriculum.stages = {{0, 160, 1}, {10, 448, 1}, {20, 224, 1}};
  EXPECT_GT(total(other), 3 * plain);
  EXPECT_LT(training_memory(config, 2).total(), plain);
}

TEST(TrainingMemory, WhatIsTooMuchIsRefusedInOneLine) {
  Config config = ten_classes();
  EXPECT_EQ(refusal(config), "");
  config.runtime.memory_limit = 1;
  const std::string error = refusal(config);
  EXPECT_NE(error.find("training would take about"), std::string::npos) << error;
  EXPECT_NE(error.find("runtime.memory_limit is 1.0"), std::string::npos) << error;
  config.runtime.memory_limit = 1.05 * training_memory(config).total() / kGiB;
  EXPECT_EQ(refusal(config), "");
  Place two;
  two.size = two.local_size = 2;
  EXPECT_NE(refusal(config, two), "") << "the program is there twice";
  // The largest values of single keys, which once took all memory at the first step.
  for (const auto& enlarge : std::vector<std::function<void(Config&)>>{
           [](Config& c) { c.data.size = 4096; },
           [](Config& c) {
             c.model.width_multipliers = {64, 64, 64, 64};
           },
           [](Config& c) {
             c.model.depths = {1000, 1000, 1000, 1000};
           },
           [](Config& c) { c.model.branches = {64}, c.runtime.engine = Engine::kBranches; },
           [](Config& c) { c.schedule.batch_size = 1'000'000; },
           [](Config& c) { c.data.prefetch = 1024; },
           [](Config& c) { c.data.val = "val", c.data.eval_crop = 4096; },
           [](Config& c) { c.model.num_classes = kMostClasses; }}) {
    Config enlarged = ten_classes();
    enlarged.runtime.memory_limit = 8;
    EXPECT_EQ(refusal(enlarged), "");
    enlarge(enlarged);
    EXPECT_NE(refusal(enlarged), "");
  }
}

}  // namespace
}  // namespace mobileone
