#include "mobileone/config/validate.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "expected.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

/// Collects contradictions; the first key is the one that the message is about.
class Contradictions {
 public:
  template <typename... Args>
  void expect(bool holds, std::vector<std::string> keys, fmt::format_string<Args...> format,
              Args&&... args) {
    if (holds) return;
    std::string message =
        fmt::format("{}: {}", keys.front(), fmt::format(format, std::forward<Args>(args)...));
    found_.push_back({std::move(keys), std::move(message)});
  }

  std::vector<Contradiction> take() { return std::move(found_); }

 private:
  std::vector<Contradiction> found_;
};

/// FieldInfo::allowed of every field.
void check_allowed(Config config, Contradictions& found) {
  config.visit([&](std::string_view section, auto& fields, const FieldInfo&) {
    fields.visit([&]<typename F>(std::string_view name, F& field, const FieldInfo& info) {
      if (info.allowed.empty()) return;
      const auto expect = [&](int64_t value, std::string_view what) {
        found.expect(std::ranges::count(info.allowed, value) > 0,
                     {fmt::format("{}.{}", section, name)}, "expected {}{}, got {}",
                     alternatives(info.allowed), what, value);
      };
      if constexpr (std::is_same_v<F, int64_t>) {
        expect(field, "");
      } else if constexpr (requires { field.resize(1); }) {
        expect(static_cast<int64_t>(field.size()), " numbers");
      }
    });
  });
}

void check_model(const ModelConfig& model, Contradictions& found) {
  const std::vector<int64_t> depths =
      model.depths.empty() ? std::vector<int64_t>(kDepths.begin(), kDepths.end()) : model.depths;
  for (size_t i = 0; i < std::min(model.se_blocks.size(), depths.size()); ++i) {
    found.expect(model.se_blocks[i] <= depths[i], {"model.se_blocks", "model.depths"},
                 "{} in stage {}, more than model.depths {}", model.se_blocks[i], i + 1, depths[i]);
  }
}

/// The part that a network with this head has not.
Part other_head(HeadKind head) {
  return head == HeadKind::kClassifier ? Part::kHead : Part::kClassifier;
}

void check_freeze(const Config& config, Contradictions& found) {
  const ModelConfig& model = config.model;
  found.expect(std::ranges::count(model.freeze, other_head(model.head)) == 0,
               {"model.freeze", "model.head"}, "names '{}', which model.head {} has none of",
               to_string(other_head(model.head)), to_string(model.head));
  if (model.freeze.empty()) return;
  found.expect(!model.pretrained.empty(), {"model.freeze", "model.pretrained"},
               "needs model.pretrained: random weights are not worth keeping");
  bool all = true;
  LrFactors(config.optimizer.lr_factors)
      .visit([&](std::string_view name, double factor, const FieldInfo&) {
        const Part part = *from_string<Part>(name);
        const bool frozen = std::ranges::count(model.freeze, part) > 0;
        all &= frozen || part == other_head(model.head);
        found.expect(!frozen || factor == 1, {"optimizer.lr_factors", "model.freeze"},
                     "{} is {}, but model.freeze names {}", name, factor, name);
      });
  found.expect(!all, {"model.freeze"}, "names every part of the network: nothing is left to train");
}

void check_images(const Config& config, Contradictions& found) {
  const DataConfig& data = config.data;
  if (config.model.head == HeadKind::kClassifier) {
    found.expect(data.eval_crop <= data.eval_resize, {"data.eval_crop", "data.eval_resize"},
                 "{} is larger than data.eval_resize {}", data.eval_crop, data.eval_resize);
  }
  const auto ordered = [&](const std::string& key, const std::array<double, 2>& range) {
    found.expect(range[0] <= range[1], {key}, "expected the smaller number first, got [{}, {}]",
                 range[0], range[1]);
  };
  const auto per_channel = [&](const std::string& key, const std::vector<double>& values,
                               double of_grey) {
    const int64_t channels = config.model.in_channels;
    if (values.size() != 1 && values.size() != 3) return;  // which `allowed` tells of
    found.expect(
        std::ssize(values) == channels, {key, "model.in_channels"},
        "has {} number(s), but model.in_channels is {}{}", values.size(), channels,
        channels == 1 ? fmt::format("; for grey images set for instance {}={}", key, of_grey) : "");
  };
  per_channel("data.mean", data.mean, 0.449);
  per_channel("data.std", data.std, 0.226);
  ordered("augment.crop_area", config.augment.crop_area);
  ordered("augment.crop_ratio", config.augment.crop_ratio);
  ordered("augment.erase.area", config.augment.erase.area);
  ordered("augment.erase.ratio", config.augment.erase.ratio);
  const double hue = config.augment.color_jitter[3];
  found.expect(hue <= 0.5, {"augment.color_jitter"},
               "expected a hue (the fourth number) of at most 0.5, got {}", hue);
}

void check_augment(const AugmentConfig& augment, Contradictions& found) {
  const RandAugmentConfig& rand = augment.randaugment;
  found.expect(augment.policy == Policy::kRandAugment || rand == RandAugmentConfig{},
               {"augment.randaugment", "augment.policy"},
               "is set, but augment.policy is {}; set augment.policy to randaugment",
               to_string(augment.policy));
  const bool timm = rand.space == RandAugmentSpace::kTimm;
  found.expect(!timm || rand.magnitude <= 10, {"augment.randaugment"},
               "expected a magnitude from 0 to 10 in timm's space, got {}", rand.magnitude);
  found.expect(timm || rand.magnitude == std::trunc(rand.magnitude), {"augment.randaugment"},
               "expected a whole magnitude in torchvision's space, got {}", rand.magnitude);
  found.expect(timm || rand.magnitude_std == 0, {"augment.randaugment"},
               "magnitude_std {} needs timm's space", rand.magnitude_std);
  const EraseConfig& erase = augment.erase;
  found.expect(erase.probability > 0 || erase == EraseConfig{}, {"augment.erase"},
               "is set, but its probability is 0");
  const MixConfig& mix = augment.mix;
  found.expect(mix.mixup > 0 || mix.cutmix > 0 || mix == MixConfig{}, {"augment.mix"},
               "is set, but neither its mixup nor its cutmix is above 0");
  found.expect((mix.mixup > 0 && mix.cutmix > 0) || mix.switch_probability == 0.5, {"augment.mix"},
               "switch_probability needs both mixup and cutmix");
}

void check_training(const OptimizerConfig& optimizer, const ScheduleConfig& schedule,
                    Contradictions& found) {
  found.expect(!optimizer.nesterov || optimizer.momentum > 0,
               {"optimizer.nesterov", "optimizer.momentum"}, "needs an optimizer.momentum above 0");
  found.expect(schedule.batch_size % schedule.accumulate == 0,
               {"schedule.accumulate", "schedule.batch_size"},
               "{} does not divide schedule.batch_size {}", schedule.accumulate,
               schedule.batch_size);
  found.expect(schedule.warmup_epochs < schedule.epochs,
               {"schedule.warmup_epochs", "schedule.epochs"},
               "{} leaves nothing of schedule.epochs {}", schedule.warmup_epochs, schedule.epochs);
  found.expect(schedule.lr_end <= optimizer.lr, {"schedule.lr_end", "optimizer.lr"},
               "{} is above optimizer.lr {}, from which the curve falls", schedule.lr_end,
               optimizer.lr);
  found.expect(schedule.warmup_lr == 0 || schedule.warmup_epochs > 0,
               {"schedule.warmup_lr", "schedule.warmup_epochs"},
               "needs schedule.warmup_epochs above 0");
  found.expect(schedule.warmup_lr <= optimizer.lr, {"schedule.warmup_lr", "optimizer.lr"},
               "{} is above optimizer.lr {}, to which the warm-up leads", schedule.warmup_lr,
               optimizer.lr);
}

void check_classes(const Config& config, Contradictions& found) {
  const auto weights = std::ssize(config.loss.class_weights), classes = config.model.num_classes;
  found.expect(weights == 0 || classes == 0 || weights == classes,
               {"loss.class_weights", "model.num_classes"},
               "{} weights for the {} classes of model.num_classes", weights, classes);
  found.expect(weights == 0 || !config.loss.balanced, {"loss.balanced", "loss.class_weights"},
               "sets the weights that loss.class_weights gives; choose one of them");
}

void check_detection(const Config& config, Contradictions& found) {
  const DetectConfig& detect = config.detect;
  found.expect(config.loss.class_weights.empty(), {"loss.class_weights", "model.head"},
               "is not for model.head ssdlite; leave it out");
  const auto& strides = detect.strides;
  bool doubles = strides.empty() || strides[0] == 8 || strides[0] == 16;
  for (size_t i = 1; i < strides.size(); ++i) doubles &= strides[i] == 2 * strides[i - 1];
  found.expect(doubles && strides.size() != 1, {"detect"},
               "strides: expected two or more, each twice the one before, from 8 or 16 on, got "
               "[{}]",
               fmt::join(strides, ", "));
  const auto levels = strides.empty() ? kSsdLevels : std::ssize(strides);
  constexpr int64_t kLargestOfStages = 32;
  const auto extra =
      strides.empty() ? kSsdLevels - 2 : std::ranges::count_if(strides, [](int64_t stride) {
        return stride > kLargestOfStages;
      });
  found.expect(std::ssize(detect.extra_channels) <= extra, {"detect"},
               "extra_channels: {} numbers for the {} levels of strides above {}",
               detect.extra_channels.size(), extra, kLargestOfStages);
  found.expect(detect.focal == 0 || detect.negatives == DetectConfig{}.negatives, {"detect"},
               "negatives: hard negatives are not mined where focal is set; leave one of them out");
  found.expect(detect.scales.empty() || std::ssize(detect.scales) == levels + 1, {"detect"},
               "scales: expected {} numbers, one for each of the {} levels and one more, got {}",
               levels + 1, levels, detect.scales.size());
  const bool known = strides.empty() || strides.back() <= kLargestSsdStride;
  found.expect(!detect.scales.empty() || known, {"detect"},
               "scales: the presets have none for strides above {}; give {} numbers",
               kLargestSsdStride, levels + 1);
}

/// What one kind of head or optimizer knows is not set for another.
void check_kinds(const Config& config, Contradictions& found) {
  const OptimizerConfig& optimizer = config.optimizer;
  const bool sgd = optimizer.name == OptimizerKind::kSgd;
  found.expect(sgd || !optimizer.nesterov, {"optimizer.nesterov", "optimizer.name"},
               "is SGD's, but optimizer.name is {}", to_string(optimizer.name));
  const OptimizerConfig defaults;
  found.expect(!sgd || optimizer.betas == defaults.betas, {"optimizer.betas", "optimizer.name"},
               "are AdamW's, but optimizer.name is sgd");
  const HeadKind head = config.model.head;
  const std::string_view name = to_string(head);
  const bool segments = head == HeadKind::kDeepLabV3, detects = head == HeadKind::kSsdLite;
  const LrFactors& factors = config.optimizer.lr_factors;
  found.expect((head == HeadKind::kClassifier ? factors.head : factors.classifier) == 1,
               {"optimizer.lr_factors", "model.head"}, "{} is set, but model.head is {}",
               to_string(other_head(head)), name);
  const auto only_for = [&](bool holds, bool is_default, const std::string& key, HeadKind kind) {
    found.expect(holds || is_default, {key, "model.head"},
                 "is set, but model.head is {}; set model.head to {}", name, to_string(kind));
  };
  only_for(segments, config.segment == SegmentConfig{}, "segment", HeadKind::kDeepLabV3);
  only_for(segments, config.augment.segment == SegmentAugmentConfig{}, "augment.segment",
           HeadKind::kDeepLabV3);
  only_for(detects, config.detect == DetectConfig{}, "detect", HeadKind::kSsdLite);
  only_for(detects, config.augment.detect == DetectAugmentConfig{}, "augment.detect",
           HeadKind::kSsdLite);
  only_for(detects, !config.data.letterbox, "data.letterbox", HeadKind::kSsdLite);
  const DataConfig& data = config.data;
  const DataConfig usual;
  for (const auto& [key, is_default] :
       {std::pair{"data.train_masks", data.train_masks.empty()},
        {"data.val_masks", data.val_masks.empty()},
        {"data.ignore_label", data.ignore_label == usual.ignore_label},
        {"data.reduce_zero_label", !data.reduce_zero_label}}) {
    only_for(segments, is_default, key, HeadKind::kDeepLabV3);
  }
  only_for(detects, data.train_annotations.empty(), "data.train_annotations", HeadKind::kSsdLite);
  only_for(detects, data.val_annotations.empty(), "data.val_annotations", HeadKind::kSsdLite);
  if (head == HeadKind::kClassifier) return;
  const std::string_view what = segments ? "mask" : "boxes",
                         section = segments ? "segment" : "detect";
  const AugmentConfig plain;
  for (const auto& [key, is_default] :
       {std::pair{"augment.crop_area", config.augment.crop_area == plain.crop_area},
        {"augment.crop_ratio", config.augment.crop_ratio == plain.crop_ratio},
        {"augment.color_jitter", config.augment.color_jitter == plain.color_jitter}}) {
    found.expect(is_default, {key, "model.head"},
                 "is for classification; with model.head {} set those of augment.{}", name,
                 section);
  }
  found.expect(config.model.output_stride == 32,
               {"model.output_stride", segments ? "segment" : "detect"},
               "{}, but with model.head {} {} says it", config.model.output_stride, name,
               segments ? "segment.output_stride" : "detect.strides");
  found.expect(config.augment.mix == MixConfig{}, {"augment.mix", "model.head"},
               "mixes labels of images, which model.head {} has none of", name);
  found.expect(config.augment.erase == EraseConfig{}, {"augment.erase", "model.head"},
               "is for classification; model.head is {}", name);
  found.expect(config.augment.policy == Policy::kNone, {"augment.policy", "model.head"},
               "moves the image without its {}; with model.head {} set it to none", what, name);
  found.expect(!config.loss.balanced, {"loss.balanced", "model.head"},
               "counts images; with model.head {} {}", name,
               segments ? "give loss.class_weights, which `mobileone data inspect` prints"
                        : "set it to false");
  found.expect(config.data.sampler == Sampler::kShuffled, {"data.sampler", "model.head"},
               "balances classes of images; with model.head {} set it to shuffled", name);
  if (detects) return check_detection(config, found);
  const auto ordered = config.augment.segment.short_side;
  found.expect(ordered[0] <= ordered[1], {"augment.segment", "augment.segment"},
               "short_side: expected the smaller number first, got [{}, {}]", ordered[0],
               ordered[1]);
}

void check_curriculum(const std::vector<CurriculumStage>& stages, Contradictions& found) {
  if (stages.empty()) return;
  found.expect(stages.front().epoch == 0, {"curriculum.stages"},
               "the first stage starts at epoch {}, expected 0", stages.front().epoch);
  for (size_t i = 1; i < stages.size(); ++i) {
    found.expect(stages[i].epoch > stages[i - 1].epoch, {"curriculum.stages"},
                 "stage {} starts at epoch {}, expected more than the {} of the stage before",
                 i + 1, stages[i].epoch, stages[i - 1].epoch);
  }
}

}  // namespace

std::vector<Contradiction> find_contradictions(const Config& config) {
  Contradictions found;
  check_allowed(config, found);
  check_model(config.model, found);
  check_freeze(config, found);
  check_images(config, found);
  check_augment(config.augment, found);
  check_training(config.optimizer, config.schedule, found);
  check_classes(config, found);
  check_kinds(config, found);
  check_curriculum(config.curriculum.stages, found);
  found.expect(!config.runtime.sync_bn || config.runtime.engine == Engine::kFolded,
               {"runtime.sync_bn", "runtime.engine"}, "needs runtime.engine folded");
  return found.take();
}

void validate(const Config& config) {
  std::vector<std::string> messages;
  for (const Contradiction& each : find_contradictions(config)) messages.push_back(each.message);
  if (!messages.empty()) throw Error("{}", fmt::join(messages, "\n"));
}

}  // namespace mobileone
