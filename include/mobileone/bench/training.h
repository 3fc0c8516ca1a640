#pragma once

#include <vector>

#include "mobileone/config/config.h"
#include "mobileone/dist/processes.h"
#include "mobileone/util/profile.h"

namespace mobileone {

/// What a training step of `config` costs on random images and labels.
struct TrainingCost {
  std::vector<double> seconds;  ///< of each step, after one to warm up
  double rss_before_mib = 0;    ///< largest resident memory before the first step
  double peak_rss_mib = 0;
  std::vector<Profile::Entry> profile;  ///< of all steps after the first
};

/// Runs 1 + `steps` steps: forward, loss, backward, SGD and, if `config.ema.decay` is not 0, the
/// moving average. Model, optimizer, loss, engine, precision and schedule.batch_size are
/// `config`'s; images are [batch_size,3,size,size], divided between `processes`. The costs are
/// those of this process.
TrainingCost measure_training(const Config& config, int64_t size, int64_t steps,
                              const Processes& processes = Processes::none());

/// How many times as long as in float32 a step of `config` takes in its own precision: on at most
/// 16 of its images, the shorter of two steps after one to warm up.
double precision_cost(Config config);

}  // namespace mobileone
