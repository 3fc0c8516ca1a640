#include "mobileone/config/writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "mobileone/config/reader.h"
#include "mobileone/util/file.h"
#include "mobileone/util/random.h"

namespace mobileone {
namespace {

TEST(Writer, WritesEveryKeyInOrder) {
  Config config;
  config.model.variant = Variant::kS3;
  config.model.depths = {2, 4, 4, 1};
  config.output.dir = "runs/\"odd\"\t name";
  config.curriculum.stages = {{0, 160, 0.3}, {39, 224, 1}};
  const std::string yaml = to_yaml(config);
  EXPECT_TRUE(yaml.starts_with("model:\n  variant: s3\n  head: classifier\n")) << yaml;
  EXPECT_NE(yaml.find("  depths: [2, 4, 4, 1]\n"), std::string::npos);
  EXPECT_NE(yaml.find("  weight_decay: 0.0001\n"), std::string::npos);
  EXPECT_NE(yaml.find("  nesterov: false\n"), std::string::npos);
  EXPECT_NE(yaml.find("  stages: [{epoch: 0, size: 160, strength: 0.3}, "
                      "{epoch: 39, size: 224, strength: 1}]\n"),
            std::string::npos);
  EXPECT_NE(yaml.find("output:\n  dir: \"runs/\\\"odd\\\"\\x09 name\"\n"), std::string::npos)
      << yaml;
}

TEST(Writer, SaysWhereValuesComeFrom) {
  TracedConfig traced;
  traced.config.data.train = "größe # 7";
  traced.origins = {{"data.train", "recipe.yaml:12"},
                    {"optimizer.lr", "command line: optimizer.lr=0.1"}};
  const std::string yaml = to_yaml(traced);
  const auto column_of_comment = [&](const std::string& key) {
    const size_t start = yaml.find("  " + key + ": ");
    return yaml.find("  # ", start) - start;
  };
  EXPECT_NE(yaml.find("  train: \"größe # 7\""), std::string::npos) << yaml;
  EXPECT_NE(yaml.find("  # recipe.yaml:12\n  val: \"\"  "), std::string::npos) << yaml;
  EXPECT_NE(yaml.find("  # command line: optimizer.lr=0.1\n"), std::string::npos) << yaml;
  EXPECT_NE(yaml.find("  # default\n"), std::string::npos) << yaml;
  EXPECT_EQ(column_of_comment("lr"), column_of_comment("weight_decay_end"));
  EXPECT_EQ(column_of_comment("train"), column_of_comment("lr") + 2);  // two letters of two bytes
  EXPECT_EQ(parse_config(yaml, "shown"), traced.config);
}

TEST(Writer, ReferenceIsTheDocumentedOne) {
  EXPECT_TRUE(config_reference() == read_file(MOBILEONE_SOURCE_DIR "/docs/config.md"))
      << "docs/config.md is out of date: mobileone config docs > docs/config.md";
}

/// Draws any value that the field's own range allows.
class Randomiser {
 public:
  explicit Randomiser(uint64_t seed) : random_(seed) {}

  template <typename T>
  void operator()(std::string_view, T& field, const FieldInfo& info) {
    draw(field, info);
  }

 private:
  template <typename T>
  void draw(T& value, const FieldInfo& info) {
    const double low = std::max(info.min, -1e3), high = std::min(info.max, 1e15);
    if constexpr (std::is_same_v<T, bool>) {
      value = random_.chance(0.5);
    } else if constexpr (std::is_same_v<T, double>) {
      value = low + (high - low) * std::pow(random_.uniform(), 10);  // many orders of magnitude
    } else if constexpr (std::is_same_v<T, int64_t>) {
      value = static_cast<int64_t>(random_.uniform(low, high));
    } else if constexpr (std::is_enum_v<T>) {
      const auto names = enum_names(T{});
      value = names[random_.integer(names.size())].value;
    } else if constexpr (std::is_same_v<T, std::string>) {
      value.resize(random_.integer(12));
      for (char& c : value) c = static_cast<char>(random_.integer(256));
    } else if constexpr (requires { value.visit(*this); }) {
      value.visit(*this);
    } else {
      if constexpr (requires { value.resize(4); }) value.resize(random_.chance(0.5) ? 4 : 0);
      for (auto& item : value) draw(item, info);
    }
  }

  Random random_;
};

void reconcile(AugmentConfig& augment) {
  augment.color_jitter[3] /= 2;
  for (auto* range :
       {&augment.crop_area, &augment.crop_ratio, &augment.erase.area, &augment.erase.ratio}) {
    std::ranges::sort(*range);
  }
  RandAugmentConfig& rand = augment.randaugment;
  if (augment.policy != Policy::kRandAugment) rand = {};
  if (rand.space == RandAugmentSpace::kTimm) {
    rand.magnitude /= 3;
  } else {
    rand.magnitude = std::trunc(rand.magnitude);
    rand.magnitude_std = 0;
  }
  if (augment.erase.probability == 0) augment.erase = {};
  MixConfig& mix = augment.mix;
  if (mix.mixup == 0 || mix.cutmix == 0) mix = {};
}

void reconcile_head(Config& config) {
  LrFactors& factors = config.optimizer.lr_factors;
  DataConfig& data = config.data;
  if (config.model.head != HeadKind::kDeepLabV3) {
    data.train_masks = data.val_masks = "";
    data.ignore_label = DataConfig{}.ignore_label;
    data.reduce_zero_label = false;
  }
  if (config.model.head != HeadKind::kSsdLite) {
    data.train_annotations = data.val_annotations = "";
  }
  if (config.model.head == HeadKind::kClassifier) {
    config.model.output_stride = 16;
    config.segment = {};
    config.augment.segment = {};
    config.detect = {};
    config.augment.detect = {};
    config.data.letterbox = false;
    factors.head = 1;
    std::erase(config.model.freeze, Part::kHead);
    return;
  }
  config.model.output_stride = 32;
  if (config.model.head == HeadKind::kDeepLabV3) {
    config.detect = {};
    config.augment.detect = {};
    config.data.letterbox = false;
    config.segment.output_stride = 8;
    if (!config.segment.rates.empty()) config.segment.rates.resize(3);
    std::ranges::sort(config.augment.segment.short_side);
  } else {
    config.segment = {};
    config.augment.segment = {};
    config.detect.strides = {16, 32, 64};
    config.detect.scales = {0.1, 0.3, 0.5, 0.7};
    config.detect.extra_channels = {64};
    config.detect.focal = 0;
    config.loss.class_weights = {};
  }
  const AugmentConfig plain;
  config.augment.crop_area = plain.crop_area;
  config.augment.crop_ratio = plain.crop_ratio;
  config.augment.color_jitter = plain.color_jitter;
  config.augment.erase = {};
  config.augment.mix = {};
  config.augment.policy = Policy::kNone;
  config.augment.randaugment = {};
  config.data.sampler = Sampler::kShuffled;
  config.loss.balanced = false;
  factors.classifier = 1;
  std::erase(config.model.freeze, Part::kClassifier);
}

/// A random configuration without contradictions.
Config random_config(uint64_t seed) {
  Config config;
  config.visit(Randomiser(seed));
  config.model.se_blocks = {};
  config.model.pretrained += "weights.pth";
  if (seed % 2 == 0) {
    config.model.freeze = {};
  } else {
    config.optimizer.lr_factors = {};
  }
  reconcile_head(config);
  config.model.in_channels = seed % 3 == 0 ? 1 : 3;
  config.data.mean.assign(config.model.in_channels, 0.5);
  config.data.std.assign(config.model.in_channels, 0.25);
  config.loss.balanced = config.loss.balanced && config.loss.class_weights.empty();
  if (!config.loss.class_weights.empty()) {
    config.model.num_classes = std::ssize(config.loss.class_weights);
  }
  reconcile(config.augment);
  config.data.eval_resize = std::max(config.data.eval_resize, config.data.eval_crop);
  config.optimizer.nesterov = config.optimizer.nesterov && config.optimizer.momentum > 0;
  config.runtime.sync_bn = config.runtime.sync_bn && config.runtime.engine == Engine::kFolded;
  config.schedule.accumulate = 1;
  config.schedule.epochs = 1000;
  config.schedule.warmup_epochs = std::min(config.schedule.warmup_epochs, 999.0);
  config.schedule.warmup_lr = config.schedule.warmup_epochs > 0
                                  ? std::min(config.schedule.warmup_lr, config.optimizer.lr)
                                  : 0;
  const OptimizerConfig defaults;
  if (config.optimizer.name == OptimizerKind::kSgd) {
    config.optimizer.betas = defaults.betas;
  } else {
    config.optimizer.nesterov = false;
  }
  config.schedule.lr_end = std::min(config.schedule.lr_end, config.optimizer.lr);
  int64_t epoch = 0;
  for (auto& stage : config.curriculum.stages) stage.epoch = std::exchange(epoch, epoch + 7);
  return config;
}

TEST(Writer, WhatItWritesReadsBackTheSame) {
  EXPECT_EQ(parse_config(to_yaml(Config{}), "defaults"), Config{});
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const Config config = random_config(seed);
    const std::string yaml = to_yaml(config);
    const Config back = parse_config(yaml, "random");
    ASSERT_EQ(back, config) << "seed " << seed << "\n" << yaml << to_yaml(back);
    ASSERT_EQ(parse_config(to_yaml(TracedConfig{config, {}}), "random"), config) << "seed " << seed;
  }
}

}  // namespace
}  // namespace mobileone
