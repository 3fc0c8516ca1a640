#pragma once

#include <cstdint>
#include <vector>

#include "mobileone/config/config.h"

namespace mobileone {

/// How long the rest of a run takes, as its steps and validations have so far: a step's time grows
/// with the pixels of its images, which a curriculum changes.
class RunClock {
 public:
  RunClock(const Config& config, int64_t batches_per_epoch);

  /// A step of `epoch` (from 0) took so long.
  void add_step(int64_t epoch, double seconds);
  void set_validation(double seconds) { validation_ = seconds; }

  /// Seconds until the run's end, `batches` of `epoch` being done; negative before the first step.
  double left(int64_t epoch, int64_t batches) const;

 private:
  double pixels_of(int64_t epoch) const { return pixels_from_[epoch] - pixels_from_[epoch + 1]; }

  int64_t batches_per_epoch_;
  std::vector<double> pixels_from_;  // of images of a batch, from an epoch to the run's end
  double seconds_ = 0, pixels_ = 0;  // of the steps so far
  double validation_ = 0;            // seconds of one
};

}  // namespace mobileone
