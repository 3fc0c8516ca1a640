#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "mobileone/task/task.h"

namespace mobileone {

/// Whether top-5 says anything: of five classes or fewer all are in it.
constexpr bool has_top5(int64_t classes) { return classes > 5; }

/// Accuracy over the images seen so far. An image whose logits hold a NaN, or are infinite at the
/// top, is never a hit.
class ClassificationMeter : public Meter {
 public:
  /// `logits` [N,classes], `labels` int64 [N], on any device.
  void add(const torch::Tensor& logits, const torch::Tensor& labels);
  void add(const Outputs& outputs, const Batch& batch) override {
    add(outputs.front(), batch.labels);
  }
  void sum_over(const Processes& processes) override;

  int64_t images() const override { return images_; }
  double top1() const { return percent(top1_); }  ///< percent
  /// Percent; NaN where no image was judged among more than five classes, of which any five hits.
  double top5() const;
  double loss() const { return images_ > 0 ? loss_ / images_ : 0; }  ///< mean cross entropy
  int64_t without_numbers() const override { return without_numbers_; }
  /// loss, top1 and, where it says anything, top5.
  Metrics metrics() const override;

 private:
  double percent(int64_t hits) const { return images_ > 0 ? 100.0 * hits / images_ : 0; }

  int64_t images_ = 0, top1_ = 0, without_numbers_ = 0;
  int64_t of_many_ = 0, top5_ = 0;  ///< images among more than five classes, and hits of these
  double loss_ = 0;
};

/// A class for each image.
class Classification : public Task {
 public:
  Classification(const Config& config, const torch::Tensor& class_weights);

  MetricInfo metric() const override { return {"top1", "top-1"}; }
  ImageList read_training_images(Config& config) const override;
  ImageList read_validation_images(const Config& config, const ImageList& train) const override;
  Transform train_transform(const Config& config, int64_t epoch) const override;
  Transform eval_transform(const DataConfig& data) const override;
  LoaderOptions eval_options(const DataConfig& data, int64_t batch_size) const override;
  /// Images, or the sum of the weights of their classes.
  double weight(const Batch& batch) const override;
  /// Cross entropy, of mixed images by both of their labels.
  torch::Tensor loss(const Outputs& outputs, const Batch& batch) const override;
  std::unique_ptr<Meter> meter() const override { return std::make_unique<ClassificationMeter>(); }

 private:
  const double label_smoothing_;
  const torch::Tensor class_weights_;  // undefined: all 1
};

/// What looks on as a set is evaluated; each may be left out.
struct EvaluationObserver {
  /// Called by all processes before each batch; ends the evaluation where it throws.
  std::function<void()> before = {};
  /// Sees the logits of each of this process's batches, on the CPU.
  std::function<void(const torch::Tensor& logits, const Batch&)> after = {};
};

/// Runs `forward` over one pass of `loader` (an epoch that has been started) without gradients.
/// With `processes` each process has its part of the batches, and they keep in step; the result is
/// of all. Throws Error if more than 1 % of all images cannot be read.
ClassificationMeter evaluate_classification(
    const std::function<torch::Tensor(const torch::Tensor&)>& forward, Loader& loader,
    const torch::Device& device, const Processes& processes = Processes::none(),
    const EvaluationObserver& observer = {});

}  // namespace mobileone
