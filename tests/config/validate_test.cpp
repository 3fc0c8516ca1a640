#include "mobileone/config/validate.h"

#include <gtest/gtest.h>

#include "support/error_of.h"

namespace mobileone {
namespace {

std::string contradictions_of(const Config& config) {
  return error_of([&] { validate(config); });
}

TEST(Validate, AcceptsTheDefaults) { EXPECT_TRUE(find_contradictions(Config{}).empty()); }

TEST(Validate, ReportsEveryContradiction) {
  Config config;
  config.model.depths = {2, 8, 10};
  config.data.eval_crop = 300;
  config.schedule.accumulate = 3;
  EXPECT_EQ(contradictions_of(config),
            "model.depths: expected 0 or 4 numbers, got 3\n"
            "data.eval_crop: 300 is larger than data.eval_resize 256\n"
            "schedule.accumulate: 3 does not divide schedule.batch_size 256");
}

struct Case {
  void (*spoil)(Config&);
  const char* message;
};

const Case kCases[] = {
    {[](Config& c) { c.model.width_multipliers = {1.0}; },
     "model.width_multipliers: expected 0 or 4 numbers, got 1"},
    {[](Config& c) {
       c.model.branches = {4, 4};
     },
     "model.branches: expected 0, 1 or 4 numbers, got 2"},
    {[](Config& c) {
       c.model.se_blocks = {0, 0, 5, 1, 1};
     },
     "model.se_blocks: expected 0 or 4 numbers, got 5"},
    {[](Config& c) {
       c.model.se_blocks = {0, 9, 10, 0};
     },
     "model.se_blocks: 9 in stage 2, more than model.depths 8"},
    {[](Config& c) {
       c.model.depths = {1, 1, 1, 1};
       c.model.se_blocks = {0, 0, 0, 2};
     },
     "model.se_blocks: 2 in stage 4, more than model.depths 1"},
    {[](Config& c) { c.model.output_stride = 24; },
     "model.output_stride: expected 8, 16 or 32, got 24"},
    {[](Config& c) { c.augment.randaugment.magnitude = 5; },
     "augment.randaugment: is set, but augment.policy is none; set augment.policy to randaugment"},
    {[](Config& c) {
       c.augment.policy = Policy::kRandAugment;
       c.augment.randaugment = {.space = RandAugmentSpace::kTimm, .magnitude = 11};
     },
     "augment.randaugment: expected a magnitude from 0 to 10 in timm's space, got 11"},
    {[](Config& c) {
       c.augment.policy = Policy::kRandAugment;
       c.augment.randaugment.magnitude = 7.5;
     },
     "augment.randaugment: expected a whole magnitude in torchvision's space, got 7.5"},
    {[](Config& c) {
       c.augment.policy = Policy::kRandAugment;
       c.augment.randaugment.magnitude_std = 0.5;
     },
     "augment.randaugment: magnitude_std 0.5 needs timm's space"},
    {[](Config& c) { c.augment.erase.mode = EraseMode::kConst; },
     "augment.erase: is set, but its probability is 0"},
    {[](Config& c) {
       c.augment.erase = {.probability = 0.5, .area = {0.5, 0.1}};
     },
     "augment.erase.area: expected the smaller number first, got [0.5, 0.1]"},
    {[](Config& c) { c.augment.mix.probability = 0.5; },
     "augment.mix: is set, but neither its mixup nor its cutmix is above 0"},
    {[](Config& c) { c.augment.mix = {.mixup = 0.2, .switch_probability = 0.1}; },
     "augment.mix: switch_probability needs both mixup and cutmix"},
    {[](Config& c) {
       c.augment.crop_area = {1, 0.08};
     },
     "augment.crop_area: expected the smaller number first, got [1, 0.08]"},
    {[](Config& c) {
       c.augment.crop_ratio = {2, 0.5};
     },
     "augment.crop_ratio: expected the smaller number first, got [2, 0.5]"},
    {[](Config& c) {
       c.optimizer.nesterov = true;
       c.optimizer.momentum = 0;
     },
     "optimizer.nesterov: needs an optimizer.momentum above 0"},
    {[](Config& c) {
       c.runtime.sync_bn = true;
       c.runtime.engine = Engine::kBranches;
     },
     "runtime.sync_bn: needs runtime.engine folded"},
    {[](Config& c) { c.model.freeze = {Part::kStem}; },
     "model.freeze: needs model.pretrained: random weights are not worth keeping"},
    {[](Config& c) {
       c.model.pretrained = "s0.pth";
       c.model.freeze = {Part::kStage2, Part::kStem};
       c.optimizer.lr_factors.stage2 = 0.1;
     },
     "optimizer.lr_factors: stage2 is 0.1, but model.freeze names stage2"},
    {[](Config& c) {
       c.model.pretrained = "s0.pth";
       c.model.freeze = {Part::kStem,   Part::kStage1, Part::kStage2,
                         Part::kStage3, Part::kStage4, Part::kClassifier};
     },
     "model.freeze: names every part of the network: nothing is left to train"},
    {[](Config& c) { c.schedule.warmup_epochs = 300; },
     "schedule.warmup_epochs: 300 leaves nothing of schedule.epochs 300"},
    {[](Config& c) { c.schedule.lr_end = 0.2; },
     "schedule.lr_end: 0.2 is above optimizer.lr 0.1, from which the curve falls"},
    {[](Config& c) {
       c.model.head = HeadKind::kSsdLite;
       c.augment.color_jitter = {0.1, 0, 0, 0};
     },
     "augment.color_jitter: is for classification; with model.head ssdlite set those of "
     "augment.detect"},
    {[](Config& c) {
       c.model.head = HeadKind::kSsdLite;
       c.data.ignore_label = 3;
     },
     "data.ignore_label: is set, but model.head is ssdlite; set model.head to deeplabv3"},
    {[](Config& c) {
       c.model.head = HeadKind::kSsdLite;
       c.detect.strides = {8, 16, 32};
       c.detect.scales = {0.1, 0.2, 0.4, 0.8};
       c.detect.extra_channels = {64};
     },
     "detect: extra_channels: 1 numbers for the 0 levels of strides above 32"},
    {[](Config& c) {
       c.model.head = HeadKind::kSsdLite;
       c.detect.focal = 2;
       c.detect.negatives = 5;
     },
     "detect: negatives: hard negatives are not mined where focal is set; leave one of them out"},
    {[](Config& c) {
       c.curriculum.stages = {{1, 160, 0.3}};
     },
     "curriculum.stages: the first stage starts at epoch 1, expected 0"},
    {[](Config& c) {
       c.curriculum.stages = {{0, 160, 0.3}, {0, 192, 0.6}};
     },
     "curriculum.stages: stage 2 starts at epoch 0, expected more than the 0 of the stage before"},
};

TEST(Validate, NamesTheKeys) {
  for (const auto& [spoil, message] : kCases) {
    Config config;
    spoil(config);
    EXPECT_EQ(contradictions_of(config), message);
    for (const Contradiction& found : find_contradictions(config)) {
      for (const std::string_view key : found.keys) {
        EXPECT_NE(found.message.find(key), std::string::npos) << found.message;
      }
    }
  }
}

TEST(Validate, AcceptsTheEdges) {
  Config config;
  config.model.depths = config.model.se_blocks = {1, 1, 1, 1};
  config.model.branches = {5};
  config.model.output_stride = 8;
  config.data.eval_crop = config.data.eval_resize = 64;
  config.augment.crop_area = {0.5, 0.5};
  config.schedule = {.epochs = 2, .batch_size = 6, .accumulate = 6, .warmup_epochs = 1.9};
  config.schedule.lr_end = config.optimizer.lr;
  config.optimizer.weight_decay_end = 2 * config.optimizer.weight_decay;
  config.curriculum.stages = {{0, 64, 0}, {1, 32, 1}};
  EXPECT_EQ(contradictions_of(config), "");
}

}  // namespace
}  // namespace mobileone
