#include "mobileone/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mobileone {

double cosine(double start, double end, int64_t step, int64_t total) {
  const double share = std::clamp(static_cast<double>(step) / static_cast<double>(total), 0.0, 1.0);
  return end + (start - end) * 0.5 * (1 + std::cos(std::numbers::pi * share));
}

double learning_rate(const Config& config, int64_t step, int64_t total) {
  const double warmup_steps =
      config.schedule.warmup_epochs * static_cast<double>(total) / config.schedule.epochs;
  const double ramp = std::min(1.0, (step + 1) / std::max(1.0, warmup_steps));
  return ramp * cosine(config.optimizer.lr, config.schedule.lr_end, step, total);
}

double weight_decay(const Config& config, int64_t step, int64_t total) {
  return cosine(config.optimizer.weight_decay, config.optimizer.weight_decay_end, step, total);
}

double ema_decay(const Config& config, int64_t step) {
  if (!config.ema.warmup) return config.ema.decay;
  return std::min(config.ema.decay, 1 - std::pow(1 + static_cast<double>(step), -2.0 / 3));
}

double share_of_first_weights(const Config& config, int64_t steps) {
  if (steps == 0) return 1;
  return config.ema.warmup ? 0 : std::pow(config.ema.decay, static_cast<double>(steps));
}

StepRates step_rates(const Config& config, int64_t step, int64_t total) {
  return {.lr = learning_rate(config, step, total),
          .weight_decay = weight_decay(config, step, total),
          .ema_decay = ema_decay(config, step)};
}

CurriculumStage curriculum_stage(const Config& config, int64_t epoch) {
  CurriculumStage current{0, config.data.size, config.augment.strength};
  for (const auto& stage : config.curriculum.stages) {
    if (stage.epoch <= epoch) current = stage;
  }
  return current;
}

}  // namespace mobileone
