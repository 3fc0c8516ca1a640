#include "mobileone/train/learner.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "mobileone/optim/runtime.h"

namespace mobileone {
namespace {

/// A sum is finite only if all its terms are.
bool is_finite(const torch::Tensor& values) { return std::isfinite(values.sum().item<double>()); }

}  // namespace

AverageInPlace::AverageInPlace(Ema& ema) : ema_(ema) { ema_.swap(); }

AverageInPlace::~AverageInPlace() { ema_.swap(); }

Learner::Learner(const Config& config, const Processes& processes,
                 const std::vector<double>& class_weights)
    : config_(config),
      processes_(processes),
      device_(choose_device(config.runtime.device, processes.place())),
      task_(task_of(config, class_weights)) {
  prepare_training(config_.runtime, processes.place());
  network_ = MobileOne(network_options(config_));
  network_->engine = config_.runtime.engine;
  if (config_.runtime.sync_bn) network_->norm_processes = &processes_;
  network_->to(device_);
  network_->freeze(config_.model.freeze);
  network_->train();
  state_ = std::make_unique<FlatState>(*network_);
  optimizer_ = make_optimizer(config_.optimizer, *state_);
  if (config_.ema.decay > 0) ema_ = std::make_unique<Ema>(*state_);
  if (processes.alone()) return;
  gradient_sum_ = std::make_unique<GradientSum>(
      *network_, *state_, [&](const torch::Tensor& part) { return processes_.start_sum(part); });
}

StepResult Learner::step(const Batch& batch, const StepRates& rates, double step_weight) {
  const torch::Tensor statistics = state_->buffers.clone();
  double loss = forward_backward(batch, step_weight);
  const bool own_finite =
      std::isfinite(loss) && is_finite(state_->gradients) && is_finite(state_->buffers);
  const auto of_all = processes_.sums({loss, own_finite ? 0.0 : 1.0});
  loss = of_all[0];
  if (of_all[1] > 0) {
    torch::NoGradGuard no_grad;
    state_->buffers.copy_(statistics);
    state_->gradients.zero_();
    return {loss, false};
  }
  optimizer_->step(rates.lr, rates.weight_decay);
  if (ema_) ema_->update(rates.ema_decay);
  return {loss, true};
}

/// The gradients are those of all processes afterwards, the loss is this one's part.
double Learner::forward_backward(const Batch& batch, double step_weight) {
  const int64_t parts = std::clamp<int64_t>(config_.schedule.accumulate, 1,
                                            std::max<int64_t>(1, batch.images.size(0) / 2));
  const double weight = weight_of(batch);
  double mean_loss = 0;
  for (int64_t i = 0; i < parts; ++i) {
    const Batch part = batch.part(i, parts);
    const double part_of_batch = weight > 0 ? weight_of(part) / weight : 0;
    const auto loss =
        task_->loss(forward(network_, part.images), part) * (step_weight * part_of_batch);
    if (gradient_sum_ && i + 1 == parts) gradient_sum_->begin();
    loss.backward();
    mean_loss += loss.item<double>();
  }
  if (gradient_sum_) gradient_sum_->finish();
  return mean_loss;
}

Outputs Learner::forward(MobileOne& network, const torch::Tensor& images) const {
  const PrecisionGuard guard(device_, config_.runtime.precision);
  const auto format = config_.runtime.channels_last ? torch::MemoryFormat::ChannelsLast
                                                    : torch::MemoryFormat::Contiguous;
  return network->outputs(images.to(device_).contiguous(format));
}

void Learner::share_state() {
  if (processes_.alone()) return;
  torch::NoGradGuard no_grad;
  // Flat first, then what lies outside: frozen parameters and counters.
  processes_.broadcast(state_->parameters);
  processes_.broadcast(state_->buffers);
  for (const auto& state : optimizer_->tensors()) processes_.broadcast(state);
  for (const auto& parameter : network_->parameters()) {
    if (!parameter.requires_grad()) processes_.broadcast(parameter.data());
  }
  for (const auto& buffer : network_->buffers()) {
    if (!buffer.is_floating_point()) processes_.broadcast(buffer);
  }
  if (ema_) {
    processes_.broadcast(ema_->parameters());
    processes_.broadcast(ema_->buffers());
  }
}

void Learner::average_statistics() {
  if (processes_.alone() || config_.runtime.sync_bn) return;
  torch::NoGradGuard no_grad;
  const auto average = [&](const torch::Tensor& statistics) {
    processes_.sum(statistics);
    statistics.div_(static_cast<double>(processes_.size()));
  };
  average(state_->buffers);
  if (ema_) average(ema_->buffers());
}

bool Learner::is_sound(int64_t size) {
  torch::NoGradGuard no_grad;
  constexpr int64_t kImages = 2;
  const auto images = torch::randn({kImages, config_.model.in_channels, size, size},
                                   at::detail::createCPUGenerator(/*seed_val=*/0));
  const auto computes = [&] {
    auto folded = fold(network_);
    return is_finite(state_->parameters) && is_finite(state_->buffers) &&
           is_finite(forward(folded, images).front());
  };
  if (!computes()) return false;
  for (const auto& state : optimizer_->tensors()) {
    if (!is_finite(state)) return false;
  }
  if (!ema_) return true;
  const AverageInPlace average(*ema_);
  return computes();
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
