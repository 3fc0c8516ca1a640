#pragma once

#include <torch/types.h>

#include <cstdint>
#include <span>

#include "mobileone/config/config.h"
#include "mobileone/model/options.h"
#include "mobileone/util/box.h"

namespace mobileone {

/// A box and its class, from 0.
struct LabelledBox {
  Box box;
  int32_t label = 0;
};

/// What the anchors of an image are trained towards.
struct SsdTargets {
  torch::Tensor labels;   ///< int64 [A]: 0 is background, 1 + class an object's
  torch::Tensor offsets;  ///< float32 [A,4] from anchor to box, in units of `variances`; 0 where
                          ///< there is none
};

/// Tells which anchors of images of a size are trained towards which boxes (Liu et al. 2016,
/// section 2.2): each towards the one with which it has the largest intersection over union, if
/// that is at least `positive_iou`; and the best anchor of each box towards that, of several boxes
/// with one best anchor the last. As torchvision's SSDMatcher.
class AnchorMatcher {
 public:
  AnchorMatcher(const SsdLiteOptions& head, int64_t height, int64_t width, double positive_iou);

  /// Boxes in pixels of the image.
  SsdTargets operator()(std::span<const LabelledBox> boxes) const;

 private:
  std::array<double, 2> variances_;
  double positive_iou_;
  torch::Tensor anchors_;   // float64 [A,4], centres and sides
  std::vector<Box> edges_;  // the same
};

/// SSD's loss of the outputs [N,A,4+1+classes] of SSDLite (Liu et al. 2016, equations 1 to 3):
/// softmax cross entropy of the anchors that have an object and of the hardest of the others, and
/// smooth L1 of the boxes' offsets, both summed and divided by `detection_weight`. `labels` int64
/// [N,A] and `offsets` float [N,A,4] as in SsdTargets; `detect` says how many others count, or that
/// all do by the focal loss. Which are the hardest is told by the cross entropy of the background.
torch::Tensor detection_loss(const torch::Tensor& outputs, const torch::Tensor& labels,
                             const torch::Tensor& offsets, const DetectConfig& detect,
                             double label_smoothing);

/// The number of anchors with an object, at least 1.
double detection_weight(const torch::Tensor& labels);

}  // namespace mobileone
