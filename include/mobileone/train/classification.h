#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>

#include "mobileone/data/loader.h"
#include "mobileone/dist/workers.h"

namespace mobileone {

/// Whether top-5 says anything: of five classes or fewer all are in it.
constexpr bool has_top5(int64_t classes) { return classes > 5; }

/// Accuracy over the images seen so far. An image whose logits hold a NaN, or are infinite at the
/// top, is never a hit.
class ClassificationMeter {
 public:
  /// `logits` [N,classes], `labels` int64 [N], on any device.
  void add(const torch::Tensor& logits, const torch::Tensor& labels);
  /// Adds what the meters of the other processes have seen.
  void sum_over(const Workers& workers);

  int64_t images() const { return images_; }
  double top1() const { return percent(top1_); }  ///< percent
  /// Percent; NaN where no image was judged among more than five classes, of which any five hits.
  double top5() const;
  double loss() const { return images_ > 0 ? loss_ / images_ : 0; }  ///< mean cross entropy
  int64_t without_numbers() const { return without_numbers_; }       ///< images with such logits

 private:
  double percent(int64_t hits) const { return images_ > 0 ? 100.0 * hits / images_ : 0; }

  int64_t images_ = 0, top1_ = 0, without_numbers_ = 0;
  int64_t of_many_ = 0, top5_ = 0;  ///< images among more than five classes, and hits of these
  double loss_ = 0;
};

/// What looks on as a set is evaluated; each may be left out.
struct EvaluationObserver {
  /// Called by all processes before each batch; ends the evaluation where it throws.
  std::function<void()> before = {};
  /// Sees the logits of each of this process's batches, on the CPU.
  std::function<void(const torch::Tensor& logits, const Batch&)> after = {};
};

/// One pass of `loader` (an epoch that has been started) without gradients: `see` gets each of this
/// process's batches, and the processes keep in step; `before` is called by all before each.
void for_each_batch(Loader& loader, const Workers& workers, const std::function<void()>& before,
                    const std::function<void(const Batch&)>& see);

/// Runs `forward` over one pass of `loader` (an epoch that has been started) without gradients.
/// With `workers` each process has its share of the batches, and they keep in step; the result is
/// of all. Throws Error if more than 1 % of all images cannot be read.
ClassificationMeter evaluate_classification(
    const std::function<torch::Tensor(const torch::Tensor&)>& forward, Loader& loader,
    const torch::Device& device, const Workers& workers = Workers::none(),
    const EvaluationObserver& observer = {});

}  // namespace mobileone
