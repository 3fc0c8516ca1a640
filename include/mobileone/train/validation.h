#pragma once

#include <functional>
#include <string>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/config/config.h"
#include "mobileone/data/loader.h"
#include "mobileone/dist/workers.h"
#include "mobileone/train/learner.h"

namespace mobileone {

/// What a validation found.
struct Verdict {
  /// val_loss, val_top1, val_top5 of the weights, ema_... of their moving average where there is
  /// one, and ema_better: 1 where it is the better one, else 0. Accuracies in percent; top-5 only
  /// where there are more than five classes.
  Metrics metrics;
  Weights better = Weights::kRaw;  ///< by top-1, then by loss
  /// Of the better one, percent; negative where a network computed no numbers for some image.
  double top1 = -1;
};

/// A run's validation images, and how it is judged by them.
class Validation {
 public:
  Validation(ImageList list, const Config& config, const Workers& workers);

  const ImageList& list() const { return loader_.list(); }

  /// One pass over the images, on which the learner's weights and their average compute one after
  /// the other, so that images are read once for both. `before` as in `for_each_batch`. `label`
  /// stands before the progress line of the first process.
  Verdict judge(Learner& learner, const std::function<void()>& before, const std::string& label);

 private:
  const DataConfig data_;
  const Workers& workers_;
  Loader loader_;
};

}  // namespace mobileone
