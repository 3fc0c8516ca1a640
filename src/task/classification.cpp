#include "mobileone/task/classification.h"

#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "mobileone/data/class_match.h"
#include "mobileone/optim/loss.h"
#include "mobileone/optim/schedule.h"
#include "mobileone/util/error.h"

namespace mobileone {

void ClassificationMeter::add(const torch::Tensor& logits, const torch::Tensor& labels) {
  torch::NoGradGuard no_grad;
  const int64_t considered = std::min<int64_t>(5, logits.size(1));
  const auto best = std::get<1>(logits.topk(considered, 1));
  const auto sound = logits.amax(1, /*keepdim=*/true).isfinite();
  const auto hits = best.eq(labels.unsqueeze(1)).logical_and(sound);
  images_ += labels.size(0);
  top1_ += hits.select(1, 0).sum().item<int64_t>();
  without_numbers_ += labels.size(0) - sound.sum().item<int64_t>();
  if (has_top5(logits.size(1))) {
    of_many_ += labels.size(0);
    top5_ += hits.sum().item<int64_t>();
  }
  loss_ += classification_loss(logits, labels, 0).item<double>() * labels.size(0);
}

void ClassificationMeter::sum_over(const Processes& processes) {
  const auto sums = processes.sums({static_cast<double>(images_), static_cast<double>(top1_),
                                    static_cast<double>(of_many_), static_cast<double>(top5_),
                                    loss_, static_cast<double>(without_numbers_)});
  images_ = static_cast<int64_t>(sums[0]);
  top1_ = static_cast<int64_t>(sums[1]);
  of_many_ = static_cast<int64_t>(sums[2]);
  top5_ = static_cast<int64_t>(sums[3]);
  loss_ = sums[4];
  without_numbers_ = static_cast<int64_t>(sums[5]);
}

double ClassificationMeter::top5() const {
  return of_many_ > 0 ? 100.0 * top5_ / of_many_ : std::numeric_limits<double>::quiet_NaN();
}

Metrics ClassificationMeter::metrics() const {
  Metrics metrics{{"loss", loss()}, {"top1", top1()}};
  if (std::isfinite(top5())) metrics.emplace_back("top5", top5());
  return metrics;
}

namespace {

int64_t count_classes(const ImageList& list) {
  const int64_t labels = 1 + *std::max_element(list.labels.begin(), list.labels.end());
  return std::max(labels, std::ssize(list.class_names));
}

}  // namespace

Classification::Classification(const Config& config, const torch::Tensor& class_weights)
    : label_smoothing_(config.loss.label_smoothing), class_weights_(class_weights) {}

ImageList Classification::read_training_images(Config& config) const {
  if (config.data.train.empty()) {
    throw Error(
        "data.train: is not set; name a folder of class folders, a CSV list, shards or a pack, for "
        "instance data.train=data/imagenet/train");
  }
  ImageList list = read_image_list(config.data.train);
  if (config.model.num_classes == 0) config.model.num_classes = count_classes(list);
  require_labels_below(list, config.model.num_classes);
  return list;
}

ImageList Classification::read_validation_images(const Config& config,
                                                 const ImageList& train) const {
  return match_classes(read_image_list(config.data.val),
                       {train.class_names, config.model.num_classes, train.origin});
}

Transform Classification::train_transform(const Config& config, int64_t epoch) const {
  const CurriculumStage stage = curriculum_stage(config, epoch);
  return mobileone::train_transform(config.augment, config.data.interpolation, stage.size,
                                    stage.strength);
}

Transform Classification::eval_transform(const DataConfig& data) const {
  return mobileone::eval_transform(data);
}

LoaderOptions Classification::eval_options(const DataConfig& data, int64_t batch_size) const {
  LoaderOptions options = loader_options(data);
  options.batch_size = batch_size;
  return options;
}

double Classification::weight(const Batch& batch) const {
  return total_weight(batch.labels, class_weights_);
}

torch::Tensor Classification::loss(const Outputs& outputs, const Batch& batch) const {
  const auto device = outputs.front().device();
  const auto weights = class_weights_.defined() ? class_weights_.to(device) : class_weights_;
  const auto other = batch.other_labels.defined() ? batch.other_labels : batch.labels;
  return mixed_classification_loss(outputs.front(), batch.labels.to(device), other.to(device),
                                   batch.mixture_weight, label_smoothing_, weights);
}

ClassificationMeter evaluate_classification(
    const std::function<torch::Tensor(const torch::Tensor&)>& forward, Loader& loader,
    const torch::Device& device, const Processes& processes, const EvaluationObserver& observer) {
  ClassificationMeter meter;
  for_each_batch(loader, processes, observer.before, [&](const Batch& batch) {
    const auto logits = forward(batch.images.to(device)).to(torch::kCPU);
    meter.add(logits, batch.labels);
    if (observer.after) observer.after(logits, batch);
  });
  meter.sum_over(processes);
  require_few_damaged(loader.list(), loader.list().size() - meter.images());
  return meter;
}

}  // namespace mobileone
