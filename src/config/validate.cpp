#include "mobileone/config/validate.h"

#include <fmt/ranges.h>

#include <array>

#include "mobileone/util/error.h"

namespace mobileone {
namespace {

/// Collects contradictions; the first key is the one that the message is about.
class Contradictions {
 public:
  template <typename... Args>
  void expect(bool holds, std::vector<std::string_view> keys, fmt::format_string<Args...> format,
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

void check_model(const ModelConfig& model, Contradictions& found) {
  const auto per_stage = [&](std::string_view key, size_t length) {
    found.expect(length == 0 || length == 4, {key}, "expected 0 or 4 numbers, got {}", length);
  };
  per_stage("model.width_multipliers", model.width_multipliers.size());
  per_stage("model.depths", model.depths.size());
  const size_t branches = model.branches.size();
  found.expect(branches == 0 || branches == 1 || branches == 4, {"model.branches"},
               "expected 0, 1 or 4 numbers, got {}", branches);
  per_stage("model.se_blocks", model.se_blocks.size());

  const std::vector<int64_t> depths =
      model.depths.empty() ? std::vector<int64_t>(kDepths.begin(), kDepths.end()) : model.depths;
  for (size_t i = 0; i < std::min(model.se_blocks.size(), depths.size()); ++i) {
    found.expect(model.se_blocks[i] <= depths[i], {"model.se_blocks", "model.depths"},
                 "{} in stage {}, more than model.depths {}", model.se_blocks[i], i + 1, depths[i]);
  }
  const int64_t stride = model.output_stride;
  found.expect(stride == 8 || stride == 16 || stride == 32, {"model.output_stride"},
               "expected 8, 16 or 32, got {}", stride);
}

void check_images(const Config& config, Contradictions& found) {
  const DataConfig& data = config.data;
  found.expect(data.eval_crop <= data.eval_resize, {"data.eval_crop", "data.eval_resize"},
               "{} is larger than data.eval_resize {}", data.eval_crop, data.eval_resize);
  const auto ordered = [&](std::string_view key, const std::array<double, 2>& range) {
    found.expect(range[0] <= range[1], {key}, "expected the smaller number first, got [{}, {}]",
                 range[0], range[1]);
  };
  ordered("augment.crop_area", config.augment.crop_area);
  ordered("augment.crop_ratio", config.augment.crop_ratio);
  const double hue = config.augment.color_jitter[3];
  found.expect(hue <= 0.5, {"augment.color_jitter"},
               "expected a hue (the fourth number) of at most 0.5, got {}", hue);
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
               "{} is above optimizer.lr {}, from which the cosine falls", schedule.lr_end,
               optimizer.lr);
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
  check_model(config.model, found);
  check_images(config, found);
  check_training(config.optimizer, config.schedule, found);
  check_curriculum(config.curriculum.stages, found);
  return found.take();
}

void validate(const Config& config) {
  std::vector<std::string> messages;
  for (const Contradiction& each : find_contradictions(config)) messages.push_back(each.message);
  if (!messages.empty()) throw Error("{}", fmt::join(messages, "\n"));
}

}  // namespace mobileone
