#pragma once

#include "mobileone/task/pixel_confusion.h"
#include "mobileone/task/task.h"

namespace mobileone {

/// Judges logits [N,C,h,w] by masks [N,H,W]: logits are resized to the masks' size, bilinear, so
/// that all is judged at the size of the original pictures.
class SegmentationMeter : public Meter {
 public:
  explicit SegmentationMeter(int64_t classes) : confusion_(classes) {}

  void add(const Outputs& outputs, const Batch& batch) override;
  /// Adds what another meter has seen.
  void merge(const SegmentationMeter& other);
  void sum_over(const Processes& processes) override;
  int64_t images() const override { return images_; }
  int64_t without_numbers() const override { return without_numbers_; }
  /// loss, miou, pixel_accuracy.
  Metrics metrics() const override;

  const PixelConfusion& confusion() const { return confusion_; }
  double loss() const;  ///< mean cross entropy over labelled pixels; 0 without any

 private:
  PixelConfusion confusion_;
  int64_t images_ = 0, without_numbers_ = 0;
  double loss_ = 0;  // over the labelled pixels
};

/// Logits [N,C,h,w] resized to `height` × `width` (bilinear, align_corners=False), in float32 or
/// better, where they are of another size.
torch::Tensor resized_logits(const torch::Tensor& logits, int64_t height, int64_t width);

/// A class for each pixel (DeepLabV3).
class Segmentation : public Task {
 public:
  Segmentation(const Config& config, const torch::Tensor& class_weights);

  MetricInfo metric() const override { return {"miou", "mIoU"}; }
  ImageList read_training_images(Config& config) const override;
  ImageList read_validation_images(const Config& config, const ImageList& train) const override;
  Transform train_transform(const Config& config, int64_t epoch) const override;
  Transform eval_transform(const DataConfig& data) const override;
  /// Pictures differ in size: one at a time.
  LoaderOptions eval_options(const DataConfig& data, int64_t batch_size) const override;
  /// Labelled pixels, or the sum of the weights of their classes.
  double weight(const Batch& batch) const override;
  /// Cross entropy over labelled pixels, and segment.auxiliary times that of the second output.
  torch::Tensor loss(const Outputs& outputs, const Batch& batch) const override;
  std::unique_ptr<Meter> meter() const override;

 private:
  const int64_t classes_;
  const double label_smoothing_, auxiliary_;
  const torch::Tensor class_weights_;  // undefined: all 1
};

}  // namespace mobileone
