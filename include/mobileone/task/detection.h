#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "mobileone/optim/detection_loss.h"
#include "mobileone/task/detections.h"
#include "mobileone/task/task.h"

namespace mobileone {

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
  /// Anchors with an object.
  double weight(const Batch& batch) const override;
  torch::Tensor loss(const Outputs& outputs, const Batch& batch) const override;
  std::unique_ptr<Meter> meter() const override;

 private:
  const Config config_;
};

}  // namespace mobileone
