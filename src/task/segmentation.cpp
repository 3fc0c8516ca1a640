#include "mobileone/task/segmentation.h"

#include <torch/nn/functional/upsampling.h>
#include <torch/utils.h>

#include <algorithm>

#include "mobileone/data/class_match.h"
#include "mobileone/data/mask_sets.h"
#include "mobileone/data/segment_transforms.h"
#include "mobileone/optim/loss.h"
#include "mobileone/optim/schedule.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace F = torch::nn::functional;

torch::Tensor resized_logits(const torch::Tensor& logits, int64_t height, int64_t width) {
  const auto x = logits.scalar_type() == torch::kFloat64 ? logits : logits.to(torch::kFloat32);
  if (x.size(2) == height && x.size(3) == width) return x;
  return F::interpolate(x, F::InterpolateFuncOptions()
                               .size(std::vector<int64_t>{height, width})
                               .mode(torch::kBilinear)
                               .align_corners(false));
}

void SegmentationMeter::add(const Outputs& outputs, const Batch& batch) {
  torch::NoGradGuard no_grad;
  const torch::Tensor& masks = batch.masks;
  const auto logits = resized_logits(outputs.front(), masks.size(1), masks.size(2));
  const auto pixels = masks.ne(kIgnored).sum().item<int64_t>();
  images_ += masks.size(0);
  without_numbers_ += masks.size(0) - logits.isfinite().flatten(1).all(1).sum().item<int64_t>();
  confusion_.add(logits.argmax(1), masks);
  if (pixels > 0) loss_ += segmentation_loss(logits, masks, 0).item<double>() * pixels;
}

void SegmentationMeter::merge(const SegmentationMeter& other) {
  images_ += other.images_;
  without_numbers_ += other.without_numbers_;
  loss_ += other.loss_;
  confusion_.merge(other.confusion_);
}

void SegmentationMeter::sum_over(const Processes& processes) {
  const auto sums =
      processes.sums({static_cast<double>(images_), static_cast<double>(without_numbers_), loss_});
  images_ = static_cast<int64_t>(sums[0]);
  without_numbers_ = static_cast<int64_t>(sums[1]);
  loss_ = sums[2];
  confusion_.sum_over(processes);
}

double SegmentationMeter::loss() const {
  return loss_ / static_cast<double>(std::max<int64_t>(1, confusion_.pixels()));
}

Metrics SegmentationMeter::metrics() const {
  return {{"loss", loss()},
          {"miou", confusion_.miou()},
          {"pixel_accuracy", confusion_.pixel_accuracy()}};
}

Segmentation::Segmentation(const Config& config, const torch::Tensor& class_weights)
    : classes_(config.model.num_classes),
      label_smoothing_(config.loss.label_smoothing),
      auxiliary_(config.segment.auxiliary),
      class_weights_(class_weights) {}

ImageList Segmentation::read_training_images(Config& config) const {
  const DataConfig& data = config.data;
  if (data.train.empty()) {
    throw Error(
        "data.train: is not set; name a folder of images beside which their masks lie, a list, "
        "shards or a pack, for instance data.train=data/camvid/train");
  }
  ImageList list = read_mask_list(data.train, data.train_masks, data);
  int64_t& classes = config.model.num_classes;
  if (classes == 0) classes = count_mask_classes(list, data.workers);
  if (const auto named = std::ssize(list.class_names); named > classes) {
    throw Error("model.num_classes: {}, but the masks of {} are of {} classes; leave it out",
                classes, list.origin, named);
  }
  list.mask_labels.num_classes = classes;
  return list;
}

ImageList Segmentation::read_validation_images(const Config& config, const ImageList& train) const {
  ImageList list = read_mask_list(config.data.val, config.data.val_masks, config.data);
  require_same_classes(train.class_names, train.origin, list);
  list.mask_labels.num_classes = config.model.num_classes;
  return list;
}

Transform Segmentation::train_transform(const Config& config, int64_t epoch) const {
  return segment_train_transform(config.augment, config.data.interpolation,
                                 curriculum_stage(config, epoch).size);
}

Transform Segmentation::eval_transform(const DataConfig& data) const {
  return segment_eval_transform(data);
}

LoaderOptions Segmentation::eval_options(const DataConfig& data, int64_t) const {
  LoaderOptions options = loader_options(data);
  options.batch_size = 1;
  options.images.original_annotations = true;
  return options;
}

double Segmentation::weight(const Batch& batch) const {
  const auto judged = batch.masks.masked_select(batch.masks.ne(kIgnored));
  if (!class_weights_.defined()) return static_cast<double>(judged.numel());
  const auto counts = judged.bincount({}, class_weights_.size(0));
  return (counts * class_weights_).sum().item<double>();
}

torch::Tensor Segmentation::loss(const Outputs& outputs, const Batch& batch) const {
  const auto device = outputs.front().device();
  const auto masks = batch.masks.to(device);
  const auto weights = class_weights_.defined() ? class_weights_.to(device) : class_weights_;
  auto loss = segmentation_loss(outputs.front(), masks, label_smoothing_, weights);
  if (outputs.size() > 1) {
    loss = loss + auxiliary_ * segmentation_loss(outputs[1], masks, label_smoothing_, weights);
  }
  return loss;
}

std::unique_ptr<Meter> Segmentation::meter() const {
  return std::make_unique<SegmentationMeter>(classes_);
}

}  // namespace mobileone
