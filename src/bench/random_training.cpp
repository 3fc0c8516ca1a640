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
  network_ = MobileOne(network_options(config));
  network_->engine = config.runtime.engine;
  network_->to(device_);
  network_->train();
  state_ = std::make_unique<FlatState>(*network_);
  optimizer_ = make_optimizer(config.optimizer, *state_);
  if (config.ema.decay > 0) ema_ = std::make_unique<Ema>(*state_);
  images_ = torch::randn({images, config.model.in_channels, size, size})
                .to(device_)
                .contiguous(torch::MemoryFormat::ChannelsLast);
  const int64_t classes = network_->options.num_classes;
  targets_ =
      (config.model.head == HeadKind::kClassifier
           ? torch::randint(classes, {images}, torch::kInt64)
           : torch::randint(std::min(classes, kIgnoredClass), {images, size, size}, torch::kUInt8))
          .to(device_);
}

torch::Tensor RandomTraining::loss(const Outputs& outputs) const {
  if (config_.model.head == HeadKind::kClassifier) {
    return classification_loss(outputs.front(), targets_, config_.loss.label_smoothing);
  }
  auto sum = segmentation_loss(outputs.front(), targets_, config_.loss.label_smoothing);
  for (size_t i = 1; i < outputs.size(); ++i) {
    sum = sum + config_.segment.auxiliary *
                    segmentation_loss(outputs[i], targets_, config_.loss.label_smoothing);
  }
  return sum;
}

void RandomTraining::step(GradientSum* sum) {
  Outputs outputs;
  {
    const PrecisionGuard guard(device_, config_.runtime.precision);
    outputs = network_->outputs(images_);
  }
  auto value = loss(outputs);
  outputs.clear();
  if (sum != nullptr) sum->begin();
  value.backward();
  if (sum != nullptr) sum->finish();
  value.item<double>();  // waits for a device
  const Span span("optimizer", 0, 4.0 * 5 * static_cast<double>(state_->parameters.numel()));
  optimizer_->step(config_.optimizer.lr, config_.optimizer.weight_decay);
  if (ema_) ema_->update(config_.ema.decay);
}

}  // namespace mobileone
