#include "mobileone/reparam/norm_batch.h"

#include <ATen/ATen.h>

#include "mobileone/util/profile.h"

namespace mobileone {
namespace {

using at::Tensor;

Tensor squares(const Tensor& mean) { return mean.unsqueeze(2) * mean.unsqueeze(1); }

}  // namespace

NormBatch::NormBatch(int64_t own_images, const at::Device& device, const Processes* processes)
    : processes_(processes != nullptr && !processes->alone() ? processes : nullptr),
      own_images_(own_images),
      images_(own_images) {
  if (processes_ == nullptr) return;
  images_ = sum(at::full({1}, own_images, at::device(device).dtype(at::kLong))).item<int64_t>();
}

int64_t NormBatch::images_each() const {
  return processes_ == nullptr ? images_ : images_ / processes_->size();
}

Tensor NormBatch::sum(const Tensor& own) const {
  if (processes_ == nullptr) return own;
  const Span span("batch norm of all", 0, static_cast<double>(own.nbytes()));
  const Tensor total = own.clone(at::MemoryFormat::Contiguous);
  processes_->sum(total);
  return total;
}

std::pair<Tensor, Tensor> NormBatch::sum(const Tensor& a, const Tensor& b) const {
  const Tensor total = sum(at::cat({a.flatten(), b.flatten()}));
  return {total.slice(0, 0, a.numel()).view(a.sizes()), total.slice(0, a.numel()).view(b.sizes())};
}

PatchMoments NormBatch::moments(const PatchMoments& own) const {
  if (processes_ == nullptr) return own;
  // Raw second moments add up. In float64 what they lose where means are large is far below
  // float32's rounding of the images.
  const Tensor own_mean = own.mean.to(at::kDouble);
  const Tensor own_second = own.covariance.to(at::kDouble) + squares(own_mean);
  const auto [mean, second] = sum(own_part() * own_mean, own_part() * own_second);
  return {mean, second - squares(mean)};
}

PatchMoments NormBatch::moment_gradients(const PatchMoments& own) const {
  if (processes_ == nullptr) return own;
  const auto [mean, covariance] = sum(own.mean, own.covariance);
  return {own_part() * mean, own_part() * covariance};
}

BranchStatistics NormBatch::statistics(const BranchStatistics& own) const {
  if (processes_ == nullptr) return own;
  const Tensor own_mean = own.mean.to(at::kDouble);
  const Tensor own_second = own.var.to(at::kDouble) + own_mean.square();
  const auto [mean, second] = sum(own_part() * own_mean, own_part() * own_second);
  return {mean, (second - mean.square()).clamp_min_(0)};
}

}  // namespace mobileone
