#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "mobileone/config/config.h"
#include "mobileone/data/object.h"
#include "mobileone/model/options.h"

namespace mobileone {

/// `detect.nms` with the preset's numbers where it has none.
NmsConfig nms_of(const DetectConfig& detect);

/// Turns what SSDLite gives for images of one size into the objects that it finds.
class DetectionDecoder {
 public:
  DetectionDecoder(const SsdLiteOptions& head, const NmsConfig& nms, int64_t height, int64_t width);

  /// `output` [A,4+1+classes] of an image, on the CPU: probabilities by softmax; of each class the
  /// `nms.candidates` best boxes of a score above `nms.score`, of which those are dropped that
  /// overlap a better one by more than `nms.iou`; of all classes the `nms.detections` best, equal
  /// ones by class and anchor. Boxes in pixels, clipped to the image. Computed in float32, as
  /// torchvision's SSD.
  std::vector<Detection> operator()(const at::Tensor& output) const;

 private:
  at::Tensor boxes_of(const at::Tensor& offsets) const;

  NmsConfig nms_;
  std::array<double, 2> variances_;
  double height_, width_;
  at::Tensor anchors_;  // float32 [A,4]
};

}  // namespace mobileone
