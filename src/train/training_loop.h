#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/config/config.h"
#include "mobileone/data/loader.h"
#include "mobileone/dist/processes.h"
#include "mobileone/optim/schedule.h"
#include "mobileone/train/learner.h"
#include "mobileone/train/pretrained.h"
#include "mobileone/train/run_folder.h"
#include "mobileone/train/run_log.h"
#include "mobileone/train/run_report.h"
#include "mobileone/train/training_data.h"
#include "mobileone/train/validation.h"
#include "mobileone/util/progress.h"
#include "mobileone/util/signals.h"

namespace mobileone {

/// What all processes together have of a batch.
struct BatchSize {
  int64_t images = 0;
  double weight = 0;  ///< as Learner::weight_of
};

/// A run under way, in one of its processes: epochs of load, forward, backward, update; then
/// validation, a row of the log and a checkpoint.
class TrainingLoop {
 public:
  /// `folder` is null but in the process that writes.
  TrainingLoop(const Config& config, TrainingData data, RunFolder* folder,
               const Processes& processes);

  /// Changes nothing but itself.
  void resume(const Checkpoint& checkpoint, const std::string& origin, bool accept_changes);
  void start() { load_pretrained(config_, train_data_.list(), learner_); }
  /// Makes where this process stands rank 0's.
  void share_state();
  /// 0, or the signal that stopped it.
  int run();

 private:
  void begin();
  bool train_epoch();
  BatchSize size_of_all(const Batch& batch) const;
  void train_step(const Batch& batch, const BatchSize& size);
  void listen();
  void leave_out(const Batch& batch, double loss);
  [[noreturn]] void give_up(const std::string& why) const;
  void validate();
  void finish_epoch();
  void save_if_due();
  void save(bool is_best);
  std::set<int64_t> damaged_anywhere() const;
  int stop();
  StepRates rates_at(int64_t step) const { return step_rates(config_, step, total_steps()); }
  int64_t total_steps() const { return train_data_.batches_per_epoch() * config_.schedule.epochs; }

  const Config config_;
  RunFolder* const folder_;
  const Processes& processes_;
  SignalWatch signals_;
  Loader train_data_;
  std::unique_ptr<Validation> validation_;  // null without data.val
  Learner learner_;
  RunReport report_;
  std::optional<RunLog> log_;

  TrainingState state_;  // momentum, file lengths and damage are filled in when it is saved
  Verdict verdict_;      // the last validation's
  using Clock = Progress::Clock;
  Clock::time_point step_start_, saved_ = Clock::now();
  // What all processes have agreed on.
  int stop_signal_ = 0;
  bool save_due_ = false, save_asked_ = false;
};

}  // namespace mobileone
