#pragma once

#include <torch/types.h>

#include <memory>
#include <vector>

#include "mobileone/config/config.h"
#include "mobileone/data/loader.h"
#include "mobileone/dist/processes.h"
#include "mobileone/model/mobileone.h"
#include "mobileone/optim/flat_state.h"
#include "mobileone/optim/gradient_sum.h"
#include "mobileone/optim/optimizer.h"
#include "mobileone/optim/schedule.h"
#include "mobileone/task/task.h"

namespace mobileone {

/// What came of a training step.
struct StepResult {
  double loss = 0;  ///< mean over the batch
  bool finite =
      true;  ///< loss, gradient and statistics; if not, the step changed none of the state
};

/// The moving average in the network's place, for as long as this lives.
class AverageInPlace {
 public:
  explicit AverageInPlace(Ema& ema);
  ~AverageInPlace();
  AverageInPlace(const AverageInPlace&) = delete;
  AverageInPlace& operator=(const AverageInPlace&) = delete;

 private:
  Ema& ema_;
};

/// A network and what an optimizer step touches: gradients, the optimizer's state, moving average.
/// With
/// `processes`, which must outlive it, those of all processes change alike.
class Learner {
 public:
  /// `config` is resolved: model.num_classes is the real number. Throws Error for a device that is
  /// not there. `class_weights`: of the loss, one a class; empty: all 1.
  explicit Learner(const Config& config, const Processes& processes = Processes::none(),
                   const std::vector<double>& class_weights = {});
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;

  const torch::Device& device() const { return device_; }
  MobileOne& network() { return network_; }
  FlatState& state() { return *state_; }
  Optimizer& optimizer() { return *optimizer_; }
  Ema* ema() { return ema_.get(); }  ///< null where ema.decay is 0

  /// Forward, backward (in schedule.accumulate parts) and update. `step_weight` is the part of the
  /// step's images, those of all processes, that lies in `batch`, by `weight_of`; the loss is over
  /// all of them.
  StepResult step(const Batch& batch, const StepRates& rates, double step_weight = 1);
  /// What a batch weighs in the mean that the loss is (see Task::weight).
  double weight_of(const Batch& batch) const { return task_->weight(batch); }

  const Task& task() const { return *task_; }
  /// What `network` puts out for images [N,Cin,H,W], in runtime.precision.
  Outputs forward(MobileOne& network, const torch::Tensor& images) const;

  /// Makes the state of all processes rank 0's.
  void share_state();
  /// Makes running statistics the mean of those of all processes, where each has its own.
  void average_statistics();

  /// Whether the state is finite, and so are the logits that the network computes by running
  /// statistics, of seeded images of `size` px: its own weights' and the average's.
  bool is_sound(int64_t size);

 private:
  double forward_backward(const Batch& batch, double step_weight);

  Config config_;
  const Processes& processes_;
  torch::Device device_;
  const std::unique_ptr<const Task> task_;
  MobileOne network_{nullptr};
  std::unique_ptr<FlatState> state_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Ema> ema_;
  std::unique_ptr<GradientSum> gradient_sum_;  // null alone
};

/// Running statistics as they are saved: the means of those of all processes, in the place of each
/// one's own for as long as this lives. To save changes nothing of a run.
class StatisticsAveraged {
 public:
  explicit StatisticsAveraged(Learner& learner);
  ~StatisticsAveraged();
  StatisticsAveraged(const StatisticsAveraged&) = delete;
  StatisticsAveraged& operator=(const StatisticsAveraged&) = delete;

 private:
  Learner& learner_;
  const torch::Tensor own_, own_average_;
};

}  // namespace mobileone
