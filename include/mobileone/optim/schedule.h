#pragma once

#include <cstdint>

#include "mobileone/config/config.h"

namespace mobileone {

/// Half a cosine from `start` (step 0) to `end` (step `total`); both held outside.
double cosine(double start, double end, int64_t step, int64_t total);

/// end + (start − end) (1 − step / total)^power; `end` from step `total` on.
double polynomial(double start, double end, double power, int64_t step, int64_t total);

/// The learning rate of optimizer step `step` (from 0) of `total`: schedule.curve from optimizer.lr
/// to schedule.lr_end over the whole run, followed by steps or, with schedule.per_epoch, by epochs;
/// during the warm-up a linear ramp, by steps, from schedule.warmup_lr to it.
double learning_rate(const Config& config, int64_t step, int64_t total);

/// Weight decay: a cosine from optimizer.weight_decay to optimizer.weight_decay_end (paper,
/// section 3.3).
double weight_decay(const Config& config, int64_t step, int64_t total);

/// The moving average's decay at optimizer step `step`: ema.decay, and with ema.warmup at most
/// 1 − (1 + step)^(−2/3), the warm-up of timm's ModelEmaV3 with its defaults (gamma 1, power 2/3).
/// The first step then makes the average the weights themselves: it forgets what they began with.
double ema_decay(const Config& config, int64_t step);

/// The share, 0 to 1, that the first weights have in the moving average after `steps` steps.
double share_of_first_weights(const Config& config, int64_t steps);

/// What changes from step to step.
struct StepRates {
  double lr = 0;
  double weight_decay = 0;
  double ema_decay = 0;
};
StepRates step_rates(const Config& config, int64_t step, int64_t total);

/// The curriculum's stage in force in `epoch` (from 0); data.size and augment.strength where there
/// is no curriculum (paper, section 3.3).
CurriculumStage curriculum_stage(const Config& config, int64_t epoch);

}  // namespace mobileone
