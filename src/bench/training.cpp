#include "mobileone/bench/training.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "mobileone/util/process.h"
#include "mobileone/util/seconds.h"
#include "random_training.h"

namespace mobileone {

TrainingCost measure_training(const Config& config, int64_t size, int64_t steps,
                              const Processes& processes) {
  using Clock = std::chrono::steady_clock;
  const int64_t all = config.schedule.batch_size, rank = processes.rank();
  const int64_t own = all * (rank + 1) / processes.size() - all * rank / processes.size();
  RandomTraining training(config, own, size, processes.place());
  if (config.runtime.sync_bn) training.network()->norm_processes = &processes;
  std::unique_ptr<GradientSum> sum;
  if (!processes.alone()) {
    sum = std::make_unique<GradientSum>(
        *training.network(), training.state(),
        [&](const torch::Tensor& part) { return processes.start_sum(part); });
  }
  TrainingCost cost;
  cost.rss_before_mib = peak_rss_mib();
  training.step(sum.get());
  Profile profile;
  for (int64_t i = 0; i < steps; ++i) {
    const auto start = Clock::now();
    training.step(sum.get());
    cost.seconds.push_back(seconds_since(start));
  }
  cost.profile = profile.entries();
  cost.peak_rss_mib = peak_rss_mib();
  return cost;
}

double precision_cost(Config config) {
  config.schedule.batch_size = std::min<int64_t>(config.schedule.batch_size, 16);
  const auto seconds = [&](Precision precision) {
    config.runtime.precision = precision;
    const auto steps = measure_training(config, config.data.size, 2).seconds;
    return *std::min_element(steps.begin(), steps.end());
  };
  return seconds(config.runtime.precision) / seconds(Precision::kFloat32);
}

}  // namespace mobileone
