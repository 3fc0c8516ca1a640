#include "random_training.h"

#include <torch/utils.h>

#include <algorithm>
#include <vector>

#include "mobileone/optim/detection_loss.h"
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
  switch (config.model.head) {
    case HeadKind::kClassifier:
      targets_ = torch::randint(classes, {images}, torch::kInt64);
      break;
    case HeadKind::kDeepLabV3:
      targets_ =
          torch::randint(std::min(classes, kIgnoredClass), {images, size, size}, torch::kUInt8);
      break;
    case HeadKind::kSsdLite:
      take_random_boxes(images, size);
      break;
  }
  targets_ = targets_.to(device_);
}

/// Eight in each image.
void RandomTraining::take_random_boxes(int64_t images, int64_t size) {
  const auto& head = std::get<SsdLiteOptions>(network_->options.head);
  const AnchorMatcher match(head, size, size, config_.detect.positive_iou);
  std::vector<torch::Tensor> labels, offsets;
  for (int64_t i = 0; i < images; ++i) {
    std::vector<LabelledBox> boxes;
    const auto numbers = torch::rand({8, 4}, torch::kFloat64) * size;
    for (const double* x = numbers.const_data_ptr<double>(); boxes.size() < 8; x += 4) {
      const double left = 0.6 * x[0], top = 0.6 * x[1];
      boxes.push_back({{left, top, left + 4 + 0.4 * x[2], top + 4 + 0.4 * x[3]},
                       static_cast<int32_t>(std::ssize(boxes) % network_->options.num_classes)});
    }
    const SsdTargets targets = match(boxes);
    labels.push_back(targets.labels);
    offsets.push_back(targets.offsets);
  }
  targets_ = torch::stack(labels);
  offsets_ = torch::stack(offsets).to(device_);
}

torch::Tensor RandomTraining::loss(const Outputs& outputs) const {
  const double smoothing = config_.loss.label_smoothing;
  switch (config_.model.head) {
    case HeadKind::kClassifier:
      return classification_loss(outputs.front(), targets_, smoothing);
    case HeadKind::kSsdLite:
      return detection_loss(outputs.front(), targets_, offsets_, config_.detect, smoothing);
    case HeadKind::kDeepLabV3:
      break;
  }
  auto sum = segmentation_loss(outputs.front(), targets_, smoothing);
  for (size_t i = 1; i < outputs.size(); ++i) {
    sum = sum + config_.segment.auxiliary * segmentation_loss(outputs[i], targets_, smoothing);
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
