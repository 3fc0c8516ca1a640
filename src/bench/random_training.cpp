#include "random_training.h"

#include <torch/utils.h>

#include "mobileone/optim/loss.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/util/profile.h"

namespace mobileone {

RandomTraining::RandomTraining(const Config& config, int64_t images, int64_t size,
                               const Place& place)
    : config_(config), device_(choose_device(config.runtime.device, place)) {
  prepare_training(config.runtime, place);
  network_ = MobileOne(network_options(config.model));
  network_->engine = config.runtime.engine;
  network_->to(device_);
  network_->train();
  state_ = std::make_unique<FlatState>(*network_);
  optimizer_ = std::make_unique<Sgd>(config.optimizer, *state_);
  if (config.ema.decay > 0) ema_ = std::make_unique<Ema>(*state_);
  images_ = torch::randn({images, config.model.in_channels, size, size})
                .to(device_)
                .contiguous(torch::MemoryFormat::ChannelsLast);
  labels_ = torch::randint(network_->options.num_classes, {images}, torch::kInt64).to(device_);
}

void RandomTraining::step(GradientSum* sum) {
  torch::Tensor logits;
  {
    const PrecisionGuard guard(device_, config_.runtime.precision);
    logits = network_->forward(images_);
  }
  auto loss = classification_loss(logits, labels_, config_.loss.label_smoothing);
  if (sum != nullptr) sum->begin();
  loss.backward();
  if (sum != nullptr) sum->finish();
  loss.item<double>();  // waits for a device
  const Span span("optimizer", 0, 4.0 * 5 * static_cast<double>(state_->parameters.numel()));
  optimizer_->step(config_.optimizer.lr, config_.optimizer.weight_decay);
  if (ema_) ema_->update(config_.ema.decay);
}

}  // namespace mobileone
