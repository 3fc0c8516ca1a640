#include "mobileone/train/learner.h"

#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "mobileone/optim/loss.h"
#include "mobileone/optim/runtime.h"

namespace mobileone {

Learner::Learner(const Config& config, const Workers& workers)
    : config_(config),
      workers_(workers),
      device_(choose_device(config.runtime.device, workers.place())) {
  prepare_training(config_.runtime, workers.place());
  network_ = MobileOne(network_options(config_.model));
  network_->engine = config_.runtime.engine;
  if (config_.runtime.sync_bn) network_->norm_workers = &workers_;
  network_->to(device_);
  network_->freeze(config_.model.freeze);
  network_->train();
  state_ = std::make_unique<FlatState>(*network_);
  optimizer_ = std::make_unique<Sgd>(config_.optimizer, *state_);
  if (config_.ema.decay > 0) ema_ = std::make_unique<Ema>(config_.ema.decay, *state_);
  if (workers.alone()) return;
  gradient_sum_ = std::make_unique<GradientSum>(
      *network_, *state_, [&](const torch::Tensor& part) { return workers_.start_sum(part); });
}

StepResult Learner::step(const Batch& batch, double lr, double weight_decay, double share) {
  const torch::Tensor statistics = state_->buffers.clone();
  double loss = forward_backward(batch, share);
  // A sum is finite only if all its terms are.
  const auto is_finite = [](const torch::Tensor& values) {
    return std::isfinite(values.sum().item<double>());
  };
  const bool own_finite =
      std::isfinite(loss) && is_finite(state_->gradients) && is_finite(state_->buffers);
  const auto of_all = workers_.sums({loss, own_finite ? 0.0 : 1.0});
  loss = of_all[0];
  if (of_all[1] > 0) {
    torch::NoGradGuard no_grad;
    state_->buffers.copy_(statistics);
    state_->gradients.zero_();
    return {loss, false};
  }
  optimizer_->step(lr, weight_decay);
  if (ema_) ema_->update();
  return {loss, true};
}

/// The gradients are those of all processes afterwards, the loss is this one's part.
double Learner::forward_backward(const Batch& batch, double share) {
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
    loss = loss * (share * static_cast<double>(labels[i].size(0)) / count);
    if (gradient_sum_ && i + 1 == images.size()) gradient_sum_->begin();
    loss.backward();
    mean_loss += loss.item<double>();
  }
  if (gradient_sum_) gradient_sum_->finish();
  return mean_loss;
}

torch::Tensor Learner::forward(MobileOne& network, const torch::Tensor& images) const {
  const PrecisionGuard guard(device_, config_.runtime.precision);
  const auto format = config_.runtime.channels_last ? torch::MemoryFormat::ChannelsLast
                                                    : torch::MemoryFormat::Contiguous;
  return network->forward(images.to(device_).contiguous(format));
}

void Learner::share_state() {
  if (workers_.alone()) return;
  torch::NoGradGuard no_grad;
  // Flat first, then what lies outside: frozen parameters and counters.
  workers_.broadcast(state_->parameters);
  workers_.broadcast(state_->buffers);
  workers_.broadcast(optimizer_->momentum());
  for (const auto& parameter : network_->parameters()) {
    if (!parameter.requires_grad()) workers_.broadcast(parameter.data());
  }
  for (const auto& buffer : network_->buffers()) {
    if (!buffer.is_floating_point()) workers_.broadcast(buffer);
  }
  if (ema_) {
    workers_.broadcast(ema_->parameters());
    workers_.broadcast(ema_->buffers());
  }
}

void Learner::average_statistics() {
  if (workers_.alone() || config_.runtime.sync_bn) return;
  torch::NoGradGuard no_grad;
  const auto average = [&](const torch::Tensor& statistics) {
    workers_.sum(statistics);
    statistics.div_(static_cast<double>(workers_.size()));
  };
  average(state_->buffers);
  if (ema_) average(ema_->buffers());
}

StatisticsAveraged::StatisticsAveraged(Learner& learner)
    : learner_(learner),
      own_(learner.state().buffers.clone()),
      own_average_(learner.ema() != nullptr ? learner.ema()->buffers().clone() : torch::Tensor()) {
  learner_.average_statistics();
}

StatisticsAveraged::~StatisticsAveraged() {
  torch::NoGradGuard no_grad;
  torch::Tensor(learner_.state().buffers).copy_(own_);
  if (learner_.ema() != nullptr) torch::Tensor(learner_.ema()->buffers()).copy_(own_average_);
}

}  // namespace mobileone
