#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

#include "mobileone/dist/processes.h"
#include "mobileone/reparam/fold.h"

namespace mobileone {

/// The images that a batch norm's statistics are over: this process's batch, or with `processes`
/// the batches of all processes together (synchronised batch norm). Statistics follow from sums
/// over images, so that all that processes exchange are moments and, backward, gradients of
/// moments.
class NormBatch {
 public:
  /// All processes make theirs at the same time; none may have an empty batch. `processes` must
  /// outlive it.
  explicit NormBatch(int64_t own_images, const at::Device& device,
                     const Processes* processes = nullptr);

  int64_t images() const { return images_; }
  /// Images that a process has on average: a number that is the same for all.
  int64_t images_each() const;
  /// Values a channel over all images, where this process's own have `own`.
  int64_t positions(int64_t own) const { return own / own_images_ * images_; }

  /// The moments over all images, from those over this process's own, in float64.
  PatchMoments moments(const PatchMoments& own) const;
  /// The gradients of a mean over this process's own images, from what each process knows of those
  /// of the moments over all.
  PatchMoments moment_gradients(const PatchMoments& own) const;
  BranchStatistics statistics(const BranchStatistics& own) const;
  /// The sum over processes, for sums over images.
  at::Tensor sum(const at::Tensor& own) const;

 private:
  /// Both in one exchange.
  std::pair<at::Tensor, at::Tensor> sum(const at::Tensor& a, const at::Tensor& b) const;
  /// This process's part of all images.
  double own_part() const {
    return static_cast<double>(own_images_) / static_cast<double>(images_);
  }

  const Processes* processes_;
  int64_t own_images_, images_;
};

}  // namespace mobileone
