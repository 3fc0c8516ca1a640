#include "mobileone/task/detection.h"

#include <fmt/ranges.h>
#include <torch/utils.h>

#include <algorithm>
#include <utility>

#include "mobileone/data/box_cut.h"
#include "mobileone/data/coco_results.h"
#include "mobileone/data/detect_transforms.h"
#include "mobileone/data/object_sets.h"
#include "mobileone/model/anchors.h"
#include "mobileone/optim/schedule.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

std::vector<LabelledBox> learnt(const std::vector<Object>& objects) {
  std::vector<LabelledBox> boxes;
  for (const Object& object : objects) {
    if (object.is_learnt()) boxes.push_back({object.box, object.label});
  }
  return boxes;
}

SsdLiteOptions head_of(const Config& config) {
  return std::get<SsdLiteOptions>(network_options(config).head);
}

}  // namespace

std::vector<Detection> in_picture(const Cut& cut, std::vector<Detection> found) {
  for (Detection& each : found) each.box = clipped(uncut_box(cut, each.box), to_box(cut.box));
  return found;
}

DetectionMeter::DetectionMeter(const Config& config)
    : config_(config),
      decode_(head_of(config), nms_of(config.detect), config.data.eval_crop, config.data.eval_crop),
      match_(head_of(config), config.data.eval_crop, config.data.eval_crop,
             config.detect.positive_iou),
      coco_(config.model.num_classes) {}

void DetectionMeter::add(const Outputs& outputs, const Batch& batch) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor& all = outputs.front();
  for (int64_t i = 0; i < all.size(0); ++i) {
    const std::vector<Object>& objects = batch.objects[i];
    ++images_;
    if (!all[i].isfinite().all().item<bool>()) {
      ++without_numbers_;
      coco_.add(batch.indices[i], coco_objects(objects), {});
      continue;
    }
    const auto found = in_picture(batch.cuts[i], decode_(all[i]));
    coco_.add(batch.indices[i], coco_objects(objects), coco_detections(found));
    const SsdTargets targets = match_(learnt(cut_objects(batch.cuts[i], objects)));
    const auto labels = targets.labels.unsqueeze(0);
    const auto loss = detection_loss(all.narrow(0, i, 1), labels, targets.offsets.unsqueeze(0),
                                     config_.detect, config_.loss.label_smoothing);
    loss_ += loss.item<double>() * detection_weight(labels);
    anchors_ += targets.labels.gt(0).sum().item<double>();
  }
}

void DetectionMeter::sum_over(const Processes& processes) {
  const auto sums = processes.sums(
      {static_cast<double>(images_), static_cast<double>(without_numbers_), loss_, anchors_});
  images_ = static_cast<int64_t>(sums[0]);
  without_numbers_ = static_cast<int64_t>(sums[1]);
  loss_ = sums[2];
  anchors_ = sums[3];
  coco_.sum_over(processes);
}

double DetectionMeter::loss() const { return loss_ / std::max(1.0, anchors_); }

Metrics DetectionMeter::metrics() const {
  const CocoScores scores = coco_.scores();
  return {{"loss", loss()},
          {"ap", 100 * scores.ap},
          {"ap50", 100 * scores.ap50},
          {"ap75", 100 * scores.ap75}};
}

namespace {

/// Without an object nothing is learnt, and there is no precision.
void require_objects(const ImageList& list) {
  if (std::ranges::any_of(list.objects->objects, &Object::is_learnt)) return;
  throw Error("{}: has no objects but crowds and difficult ones; name a set that has some",
              list.origin);
}

}  // namespace

DetectionTask::DetectionTask(const Config& config) : config_(config) {}

ImageList DetectionTask::read_training_images(Config& config) const {
  const DataConfig& data = config.data;
  if (data.train.empty()) {
    throw Error(
        "data.train: is not set; name a folder of images beside which their boxes lie, a list of "
        "VOC's, shards or a pack, for instance data.train=data/coco/train2017");
  }
  ImageList list = read_object_list(data.train, data.train_annotations, data);
  const auto classes = std::ssize(list.class_names);
  if (config.model.num_classes == 0) config.model.num_classes = classes;
  if (classes != config.model.num_classes) {
    throw Error("model.num_classes: {}, but the boxes of {} are of {} classes; leave it out",
                config.model.num_classes, list.origin, classes);
  }
  require_objects(list);
  return list;
}

ImageList DetectionTask::read_validation_images(const Config& config,
                                                const ImageList& train) const {
  ImageList list = read_object_list(config.data.val, config.data.val_annotations, config.data);
  require_objects(list);
  return match_object_classes(std::move(list), train.class_names, train.origin);
}

Transform DetectionTask::train_transform(const Config& config, int64_t epoch) const {
  const int64_t size = curriculum_stage(config, epoch).size;
  Transform transform = detect_train_transform(config.augment, config.data, size);
  const AnchorMatcher match(head_of(config), size, size, config.detect.positive_iou);
  transform.targets = [match](const Annotation& annotation, int64_t, int64_t) {
    SsdTargets targets = match(learnt(annotation.objects));
    return std::vector{std::move(targets.labels), std::move(targets.offsets)};
  };
  return transform;
}

Transform DetectionTask::eval_transform(const DataConfig& data) const {
  return detect_eval_transform(data);
}

LoaderOptions DetectionTask::eval_options(const DataConfig& data, int64_t batch_size) const {
  LoaderOptions options = loader_options(data);
  options.batch_size = batch_size;
  options.images.original_annotations = true;
  return options;
}

std::string DetectionTask::describe(const Config& config) const {
  const SsdLiteOptions head = head_of(config);
  const int64_t size = config.data.size;
  std::vector<int64_t> anchors;
  std::vector<std::string> sides;
  for (int64_t level = 0; level < head.levels(); ++level) {
    anchors.push_back(head.anchors(level));
    sides.push_back(fmt::format("{:.0f}", head.scales[level] * static_cast<double>(size)));
  }
  return fmt::format(
      "detection at strides of {} px, by anchors of {} px, {} of each cell, {} in all at {} px; "
      "{}'s rules",
      fmt::join(head.strides, ", "), fmt::join(sides, ", "), fmt::join(anchors, ", "),
      ssd_anchors(head, size, size).size(0), size, to_string(head.preset));
}

double DetectionTask::weight(const Batch& batch) const {
  return detection_weight(batch.targets.front());
}

torch::Tensor DetectionTask::loss(const Outputs& outputs, const Batch& batch) const {
  const torch::Tensor& all = outputs.front();
  return detection_loss(all, batch.targets[0].to(all.device()), batch.targets[1].to(all.device()),
                        config_.detect, config_.loss.label_smoothing);
}

std::unique_ptr<Meter> DetectionTask::meter() const {
  return std::make_unique<DetectionMeter>(config_);
}

}  // namespace mobileone
