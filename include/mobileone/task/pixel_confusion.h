#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "mobileone/dist/processes.h"

namespace mobileone {

/// How often pixels of one class are taken for another, over a whole set; ignored pixels (255 in a
/// mask) are left out. What follows of it are the measures of PASCAL VOC (VOCevalseg.m).
class PixelConfusion {
 public:
  explicit PixelConfusion(int64_t classes);

  /// Classes of the pixels, integers below `classes`, and uint8 labels, both of one shape. Throws
  /// Error for a label that is neither below `classes` nor 255.
  void add(const at::Tensor& predicted, const at::Tensor& labels);
  void merge(const PixelConfusion& other) { counts_ += other.counts_; }
  /// Adds what the other processes have counted.
  void sum_over(const Processes& processes);

  int64_t classes() const { return counts_.size(0); }
  /// int64 [classes,classes]: row is the label, column the prediction.
  const at::Tensor& counts() const { return counts_; }
  int64_t pixels() const;  ///< that are labelled

  /// Intersection over union of each class, percent: pixels that are labelled and predicted to be
  /// of it, of those that are either. NaN for a class that no pixel is either of.
  std::vector<double> class_iou() const;
  /// Their mean over the classes that have one, percent; NaN if none has.
  double miou() const;
  /// Of the labelled pixels those that are predicted right, percent; NaN if there are none.
  double pixel_accuracy() const;

 private:
  at::Tensor counts_;
};

}  // namespace mobileone
