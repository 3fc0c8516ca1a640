#include "mobileone/train/validation.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <limits>

#include "mobileone/data/shapes.h"
#include "test_folder.h"

namespace mobileone {
namespace {

class ValidationTest : public testing::Test {
 protected:
  ValidationTest() {
    draw_shapes(folder.path("shapes"), {.train_per_class = 1, .val_per_class = 2, .size = 32});
    config.model.width_multipliers = {0.25, 0.125, 0.125, 0.125};
    config.model.depths = {1, 1, 1, 1};
    config.model.num_classes = 10;
    config.data.eval_resize = config.data.eval_crop = 32;
    config.schedule.batch_size = 8;
    config.runtime.device = DeviceChoice::kCpu;
    config.runtime.threads = 1;
  }

  static void poison(const torch::Tensor& values) {
    torch::NoGradGuard no_grad;
    torch::Tensor(values).fill_(std::numeric_limits<float>::quiet_NaN());
  }
  static double value(const Verdict& verdict, const std::string& name) {
    for (const auto& [key, number] : verdict.metrics) {
      if (key == name) return number;
    }
    ADD_FAILURE() << name;
    return 0;
  }

  const TestFolder folder;
  Config config;
};

TEST_F(ValidationTest, JudgesWeightsAndAverageInOnePassOverTheImages) {
  Learner learner(config);
  Validation validation(read_image_list(folder.path("shapes/val")), config, Processes::none());
  int batches = 0;
  const auto judge = [&] {
    return validation.judge(
        learner, [&] { ++batches; }, "validation");
  };
  const Verdict same = judge();
  EXPECT_EQ(batches, 3);
  EXPECT_EQ(value(same, "val_top1"), value(same, "ema_top1"));
  EXPECT_EQ(value(same, "val_top5"), value(same, "ema_top5"));
  EXPECT_EQ(value(same, "val_loss"), value(same, "ema_loss"));

  // Of two sets of weights that hit alike the one with the lower loss is better.
  torch::NoGradGuard no_grad;
  learner.network()->linear()->weight.mul_(1.5);
  const Verdict sharper = judge();
  const bool raw_is_better = value(sharper, "val_top1") > value(sharper, "ema_top1") ||
                             (value(sharper, "val_top1") == value(sharper, "ema_top1") &&
                              value(sharper, "val_loss") < value(sharper, "ema_loss"));
  EXPECT_EQ(sharper.better, raw_is_better ? Weights::kRaw : Weights::kAverage);
  EXPECT_EQ(value(sharper, "ema_better"), raw_is_better ? 0 : 1);
}

TEST_F(ValidationTest, WhatComputesNoNumbersIsNeverTheBest) {
  Learner learner(config);
  Validation validation(read_image_list(folder.path("shapes/val")), config, Processes::none());
  poison(learner.state().parameters);
  const Verdict average = validation.judge(learner, {}, "validation");
  EXPECT_EQ(average.better, Weights::kAverage);
  EXPECT_EQ(value(average, "val_top1"), 0);
  EXPECT_GE(average.score, 0);
  poison(learner.ema()->parameters());
  EXPECT_LT(validation.judge(learner, {}, "validation").score, 0);
}

TEST_F(ValidationTest, WithoutAnAverageThereIsOneCandidate) {
  config.ema.decay = 0;
  Learner learner(config);
  Validation validation(read_image_list(folder.path("shapes/val")), config, Processes::none());
  const Verdict verdict = validation.judge(learner, {}, "validation");
  EXPECT_EQ(verdict.better, Weights::kRaw);
  EXPECT_EQ(verdict.metrics.size(), 3u);
}

}  // namespace
}  // namespace mobileone
