#include "mobileone/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mobileone {

double cosine(double start, double end, int64_t step, int64_t total) {
  const double share = std::clamp(static_cast<double>(step) / static_cast<double>(total), 0.0, 1.0);
  return end + (start - end) * 0.5 * (1 + std::cos(std::numbers::pi * share));
}

double polynomial(double start, double end, double power, int64_t step, int64_t total) {
  const double share = std::clamp(static_cast<double>(step) / static_cast<double>(total), 0.0, 1.0);
  return end + (start - end) * std::pow(1 - share, power);
}

double learning_rate(const Config& config, int64_t step, int64_t total) {
  const ScheduleConfig& schedule = config.schedule;
  const double peak = config.optimizer.lr, end = schedule.lr_end,
               epoch_steps = static_cast<double>(total) / static_cast<double>(schedule.epochs);
  // The curve's own clock counts epochs or steps.
  const int64_t now = schedule.per_epoch ? static_cast<int64_t>((step + 0.5) / epoch_steps) : step,
                last = schedule.per_epoch ? schedule.epochs : total;
  const double rate = schedule.curve == LrCurve::kPolynomial
                          ? polynomial(peak, end, schedule.power, now, last)
                          : cosine(peak, end, now, last);
  // Where it starts from 0 the first step is one of the ramp's above it.
  const double first = schedule.warmup_lr,
               ramp = (static_cast<double>(step) + (first > 0 ? 0 : 1)) /
                      std::max(1.0, schedule.warmup_epochs * epoch_steps);
  if (schedule.warmup_epochs == 0 || ramp >= 1) return rate;
  return first + ramp * (rate - first);
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
