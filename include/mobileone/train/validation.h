#pragma once

#include <functional>
#include <memory>
#include <string>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/config/config.h"
#include "mobileone/data/loader.h"
#include "mobileone/dist/processes.h"
#include "mobileone/task/task.h"
#include "mobileone/train/learner.h"

namespace mobileone {

/// What a validation found.
struct Verdict {
  /// The task's metrics (Meter::metrics) as val_loss and so on of the weights, ema_... of their
  /// moving average where there is one, and ema_better: 1 where it is the better one, else 0.
  Metrics metrics;
  Weights better = Weights::kRaw;  ///< by the task's metric, then by loss
  /// The task's metric of the better one, percent; negative where a network computed no numbers for
  /// some image.
  double score = -1;
};

/// A run's validation images, and how it is judged by them.
class Validation {
 public:
  Validation(ImageList list, const Config& config, const Processes& processes);

  const ImageList& list() const { return loader_.list(); }

  /// One pass over the images, on which the learner's weights and their average compute one after
  /// the other, so that images are read once for both. `before` as in `for_each_batch`. `label`
  /// stands before the progress line of the first process.
  Verdict judge(Learner& learner, const std::function<void()>& before, const std::string& label);

 private:
  const DataConfig data_;
  const std::unique_ptr<const Task> task_;
  const Processes& processes_;
  Loader loader_;
};

}  // namespace mobileone
