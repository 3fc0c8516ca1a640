#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/config/config.h"
#include "mobileone/task/task.h"
#include "mobileone/train/run_clock.h"
#include "mobileone/train/validation.h"
#include "mobileone/util/progress.h"

namespace mobileone {

/// The mean over the images of the epoch so far.
double mean_loss(const TrainingState& state);

/// What a run says of itself on standard error as it goes: a progress line with the time left, a
/// line for each epoch and, at its end, what came of it. All but the first process are silent.
class RunReport {
 public:
  RunReport(const Config& config, int64_t batches_per_epoch, bool speaks);

  /// `state` is that of the epoch in progress, from here to its end.
  void begin_epoch(const TrainingState& state);
  void step(const TrainingState& state, double seconds);
  /// A validation took so long.
  void validation(double seconds) { clock_.set_validation(seconds); }
  void epoch(const TrainingState& state, const Verdict& verdict, bool is_best);
  void end(const TrainingState& state, const std::filesystem::path& best) const;

 private:
  std::string name_of(const TrainingState& state) const;

  const int64_t epochs_, images_per_epoch_;
  const bool speaks_, validates_;
  const MetricInfo metric_;
  RunClock clock_;
  std::optional<Progress> progress_;
  const Progress::Clock::time_point start_ = Progress::Clock::now();
};

}  // namespace mobileone
