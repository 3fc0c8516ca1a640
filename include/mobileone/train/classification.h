#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>

#include "mobileone/data/loader.h"
#include "mobileone/dist/workers.h"

namespace mobileone {

/// Accuracy over the images seen so far.
class ClassificationMeter {
 public:
  /// `logits` [N,classes], `labels` int64 [N], on any device.
  void add(const torch::Tensor& logits, const torch::Tensor& labels);
  /// Adds what the meters of all processes have seen.
  void sum_over(const Workers& workers);

  int64_t images() const { return images_; }
  double top1() const { return percent(top1_); }  ///< percent
  double top5() const { return percent(top5_); }  ///< percent; with fewer than 5 classes, of all
  double loss() const { return images_ > 0 ? loss_ / images_ : 0; }  ///< mean cross entropy

 private:
  double percent(int64_t hits) const { return images_ > 0 ? 100.0 * hits / images_ : 0; }

  int64_t images_ = 0, top1_ = 0, top5_ = 0;
  double loss_ = 0;
};

/// Runs `forward` over one pass of `loader` (an epoch that has been started) without gradients;
/// `observe`, if given, sees the logits and labels of each batch on the CPU.
ClassificationMeter evaluate_classification(
    const std::function<torch::Tensor(const torch::Tensor&)>& forward, Loader& loader,
    const torch::Device& device,
    const std::function<void(const torch::Tensor& logits, const Batch&)>& observe = {});

}  // namespace mobileone
