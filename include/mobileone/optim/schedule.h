#pragma once

#include <cstdint>

#include "mobileone/config/config.h"

namespace mobileone {

/// Half a cosine from `start` (step 0) to `end` (step `total`); both held outside.
double cosine(double start, double end, int64_t step, int64_t total);

/// The learning rate of optimizer step `step` (from 0) of `total`: a cosine from optimizer.lr to
/// schedule.lr_end over the whole run, times a linear ramp over the warm-up's steps.
double learning_rate(const Config& config, int64_t step, int64_t total);

/// Weight decay: a cosine from optimizer.weight_decay to optimizer.weight_decay_end (paper,
/// section 3.3).
double weight_decay(const Config& config, int64_t step, int64_t total);

/// The curriculum's stage in force in `epoch` (from 0); data.size and augment.strength where there
/// is no curriculum (paper, section 3.3).
CurriculumStage curriculum_stage(const Config& config, int64_t epoch);

}  // namespace mobileone
