#include "mobileone/train/learner.h"

#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "mobileone/optim/loss.h"
#include "mobileone/optim/runtime.h"

namespace mobileone {

Learner::Learner(const Config& config)
    : config_(config), device_(choose_device(config.runtime.device)) {
  prepare_training(config_.runtime);
  network_ = MobileOne(network_options(config_.model));
  network_->engine = config_.runtime.engine;
  network_->to(device_);
  network_->freeze(config_.model.freeze);
  network_->train();
  state_ = std::make_unique<FlatState>(*network_);
  optimizer_ = std::make_unique<Sgd>(config_.optimizer, *state_);
  if (config_.ema.decay > 0) ema_ = std::make_unique<Ema>(config_.ema.decay, *state_);
}

StepResult Learner::step(const Batch& batch, double lr, double weight_decay) {
  const torch::Tensor statistics = state_->buffers.clone();
  const double loss = forward_backward(batch);
  // A sum is finite only if all its terms are.
  const auto is_finite = [](const torch::Tensor& values) {
    return std::isfinite(values.sum().item<double>());
  };
  if (!std::isfinite(loss) || !is_finite(state_->gradients) || !is_finite(state_->buffers)) {
    torch::NoGradGuard no_grad;
    state_->buffers.copy_(statistics);
    state_->gradients.zero_();
    return {loss, false};
  }
  optimizer_->step(lr, weight_decay);
  if (ema_) ema_->update();
  return {loss, true};
}

double Learner::forward_backward(const Batch& batch) {
  const int64_t count = batch.labels.size(0),
                parts = std::clamp<int64_t>(config_.schedule.accumulate, 1,
                                            std::max<int64_t>(1, count / 2));
  const auto images = batch.images.tensor_split(parts);
  const auto labels = batch.labels.to(device_).tensor_split(parts);
  const auto other_labels = batch.labels.flip(0).to(device_).tensor_split(parts);
  double mean_loss = 0;
  for (size_t i = 0; i < images.size(); ++i) {
    auto loss = mixed_classification_loss(forward(network_, images[i]), labels[i], other_labels[i],
                                          batch.share, config_.loss.label_smoothing);
    loss = loss * (static_cast<double>(labels[i].size(0)) / count);
    loss.backward();
    mean_loss += loss.item<double>();
  }
  return mean_loss;
}

torch::Tensor Learner::forward(MobileOne& network, const torch::Tensor& images) const {
  const PrecisionGuard guard(device_, config_.runtime.precision);
  const auto format = config_.runtime.channels_last ? torch::MemoryFormat::ChannelsLast
                                                    : torch::MemoryFormat::Contiguous;
  return network->forward(images.to(device_).contiguous(format));
}

}  // namespace mobileone
