#pragma once

#include <torch/types.h>

#include <memory>

#include "mobileone/config/config.h"
#include "mobileone/data/loader.h"
#include "mobileone/dist/workers.h"
#include "mobileone/model/mobileone.h"
#include "mobileone/optim/flat_state.h"
#include "mobileone/optim/gradient_sum.h"
#include "mobileone/optim/optimizer.h"

namespace mobileone {

/// What came of a training step.
struct StepResult {
  double loss = 0;  ///< mean over the batch
  bool finite =
      true;  ///< loss, gradient and statistics; if not, the step changed none of the state
};

/// A network and what an optimizer step touches: gradients, momentum, moving average. With
/// `workers`, which must outlive it, those of all processes change alike.
class Learner {
 public:
  /// `config` is resolved: model.num_classes is the real number. Throws Error for a device that is
  /// not there.
  explicit Learner(const Config& config, const Workers& workers = Workers::none());
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;

  const torch::Device& device() const { return device_; }
  MobileOne& network() { return network_; }
  FlatState& state() { return *state_; }
  Sgd& optimizer() { return *optimizer_; }
  Ema* ema() { return ema_.get(); }  ///< null where ema.decay is 0

  /// Forward, backward (in schedule.accumulate parts) and update. `share` is the part of the
  /// step's images, those of all processes, that lies in `batch`; the loss is over all of them.
  StepResult step(const Batch& batch, double lr, double weight_decay, double share = 1);

  /// Logits [N,classes] of images [N,3,S,S] by `network`, in runtime.precision.
  torch::Tensor forward(MobileOne& network, const torch::Tensor& images) const;

  /// Makes the state of all processes rank 0's.
  void share_state();
  /// Makes running statistics the mean of those of all processes, where each has its own.
  void average_statistics();

 private:
  double forward_backward(const Batch& batch, double share);

  Config config_;
  const Workers& workers_;
  torch::Device device_;
  MobileOne network_{nullptr};
  std::unique_ptr<FlatState> state_;
  std::unique_ptr<Sgd> optimizer_;
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
