#pragma once

#include <torch/types.h>

#include <memory>

#include "mobileone/config/config.h"
#include "mobileone/data/loader.h"
#include "mobileone/model/mobileone.h"
#include "mobileone/optim/flat_state.h"
#include "mobileone/optim/optimizer.h"

namespace mobileone {

/// What came of a training step.
struct StepResult {
  double loss = 0;  ///< mean over the batch
  bool finite =
      true;  ///< loss, gradient and statistics; if not, the step changed none of the state
};

/// A network and what an optimizer step touches: gradients, momentum, moving average.
class Learner {
 public:
  /// `config` is resolved: model.num_classes is the real number. Throws Error for a device that is
  /// not there.
  explicit Learner(const Config& config);
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;

  const torch::Device& device() const { return device_; }
  MobileOne& network() { return network_; }
  FlatState& state() { return *state_; }
  Sgd& optimizer() { return *optimizer_; }
  Ema* ema() { return ema_.get(); }  ///< null where ema.decay is 0

  /// Forward, backward (in schedule.accumulate parts) and update.
  StepResult step(const Batch& batch, double lr, double weight_decay);

  /// Logits [N,classes] of images [N,3,S,S] by `network`, in runtime.precision.
  torch::Tensor forward(MobileOne& network, const torch::Tensor& images) const;

 private:
  double forward_backward(const Batch& batch);

  Config config_;
  torch::Device device_;
  MobileOne network_{nullptr};
  std::unique_ptr<FlatState> state_;
  std::unique_ptr<Sgd> optimizer_;
  std::unique_ptr<Ema> ema_;
};

}  // namespace mobileone
