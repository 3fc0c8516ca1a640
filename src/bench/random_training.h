#pragma once

#include <torch/types.h>

#include <memory>

#include "mobileone/config/config.h"
#include "mobileone/dist/place.h"
#include "mobileone/model/mobileone.h"
#include "mobileone/optim/flat_state.h"
#include "mobileone/optim/gradient_sum.h"
#include "mobileone/optim/optimizer.h"

namespace mobileone {

/// Training steps on random images and labels, masks or boxes.
class RandomTraining {
 public:
  /// Readies the process for training. `images` are those of a step, [images,3,size,size].
  RandomTraining(const Config& config, int64_t images, int64_t size, const Place& place = {});

  MobileOne& network() { return network_; }
  const FlatState& state() const { return *state_; }
  /// Forward, loss, backward, with `sum` of the gradients if there is one, update and average.
  void step(GradientSum* sum);

 private:
  void take_random_boxes(int64_t images, int64_t size);
  torch::Tensor loss(const Outputs& outputs) const;

  Config config_;
  torch::Device device_;
  MobileOne network_{nullptr};
  std::unique_ptr<FlatState> state_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Ema> ema_;
  torch::Tensor images_, targets_;  // masks of segmentation, of detection the anchors' labels
  torch::Tensor offsets_;           // of detection
};

}  // namespace mobileone
