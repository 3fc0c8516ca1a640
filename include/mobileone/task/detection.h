#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mobileone/data/object.h"
#include "mobileone/optim/detection_loss.h"
#include "mobileone/task/coco_ap.h"
#include "mobileone/task/detections.h"
#include "mobileone/task/task.h"

namespace mobileone {

/// What was found in a cut's window, in pixels of the picture and within it.
std::vector<Detection> in_picture(const Cut& cut, std::vector<Detection> found);

/// COCO's numbers of the outputs of SSDLite for images of data.eval_crop pixels. Boxes are judged
/// in pixels of the pictures as they are stored; equal scores count in the order of the list.
class DetectionMeter : public Meter {
 public:
  explicit DetectionMeter(const Config& config);

  /// The batch's objects are as they are stored (`ImagePipeline::Options::original_annotations`).
  void add(const Outputs& outputs, const Batch& batch) override;
  void sum_over(const Processes& processes) override;
  int64_t images() const override { return images_; }
  int64_t without_numbers() const override { return without_numbers_; }
  /// loss, ap, ap50, ap75.
  Metrics metrics() const override;

 private:
  double loss() const;

  const Config config_;
  const DetectionDecoder decode_;  ///< of images of data.eval_crop
  const AnchorMatcher match_;      ///< likewise
  CocoMeter coco_;
  int64_t images_ = 0, without_numbers_ = 0;
  double loss_ = 0, anchors_ = 0;  // a sum over images, and the anchors with an object
};

/// Boxes of the classes of objects in pictures (SSDLite).
class DetectionTask : public Task {
 public:
  explicit DetectionTask(const Config& config);

  MetricInfo metric() const override { return {"ap", "AP"}; }
  ImageList read_training_images(Config& config) const override;
  ImageList read_validation_images(const Config& config, const ImageList& train) const override;
  Transform train_transform(const Config& config, int64_t epoch) const override;
  Transform eval_transform(const DataConfig& data) const override;
  LoaderOptions eval_options(const DataConfig& data, int64_t batch_size) const override;
  /// Levels and anchors.
  std::string describe(const Config& config) const override;
  /// Anchors with an object.
  double weight(const Batch& batch) const override;
  torch::Tensor loss(const Outputs& outputs, const Batch& batch) const override;
  std::unique_ptr<Meter> meter() const override;

 private:
  const Config config_;
};

}  // namespace mobileone
