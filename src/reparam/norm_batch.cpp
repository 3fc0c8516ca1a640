#include "mobileone/reparam/norm_batch.h"

#include <ATen/ATen.h>

#include "mobileone/util/profile.h"

namespace mobileone {
namespace {

using at::Tensor;

/// Tensors end to end in one, and back.
Tensor flat(const Tensor& a, const Tensor& b) { return at::cat({a.flatten(), b.flatten()}); }
std::pair<Tensor, Tensor> unflat(const Tensor& flat, const Tensor& a, const Tensor& b) {
  return {flat.slice(0, 0, a.numel()).view(a.sizes()), flat.slice(0, a.numel()).view(b.sizes())};
}

}  // namespace

NormBatch::NormBatch(int64_t own_images, const at::Device& device, const Workers* workers)
    : workers_(workers != nullptr && !workers->alone() ? workers : nullptr),
      own_images_(own_images),
      images_(own_images) {
  if (workers_ == nullptr) return;
  images_ = sum(at::full({1}, own_images, at::device(device).dtype(at::kLong))).item<int64_t>();
}

int64_t NormBatch::images_each() const {
  return workers_ == nullptr ? images_ : images_ / workers_->size();
}

Tensor NormBatch::sum(const Tensor& own) const {
  if (workers_ == nullptr) return own;
  const Span span("batch norm of all", 0, static_cast<double>(own.nbytes()));
  const Tensor total = own.clone(at::MemoryFormat::Contiguous);
  workers_->sum(total);
  return total;
}

PatchMoments NormBatch::moments(const PatchMoments& own) const {
  if (workers_ == nullptr) return own;
  // Raw second moments add up. In float64 what they lose where means are large is far below
  // float32's rounding of the images.
  const double share = static_cast<double>(own_images_) / static_cast<double>(images_);
  const auto squares = [](const Tensor& mean) { return mean.unsqueeze(2) * mean.unsqueeze(1); };
  const Tensor mean = own.mean.to(at::kDouble);
  const Tensor second = own.covariance.to(at::kDouble) + squares(mean);
  const auto [all_mean, all_second] = unflat(sum(flat(mean, second) * share), mean, second);
  return {all_mean, all_second - squares(all_mean)};
}

PatchMoments NormBatch::moment_gradients(const PatchMoments& own) const {
  if (workers_ == nullptr) return own;
  const double share = static_cast<double>(own_images_) / static_cast<double>(images_);
  const auto [mean, covariance] =
      unflat(sum(flat(own.mean, own.covariance)) * share, own.mean, own.covariance);
  return {mean, covariance};
}

BranchStatistics NormBatch::statistics(const BranchStatistics& own) const {
  if (workers_ == nullptr) return own;
  const double share = static_cast<double>(own_images_) / static_cast<double>(images_);
  const Tensor mean = own.mean.to(at::kDouble);
  const Tensor second = own.var.to(at::kDouble) + mean.square();
  const auto [all_mean, all_second] = unflat(sum(flat(mean, second) * share), mean, second);
  return {all_mean, (all_second - all_mean.square()).clamp_min_(0)};
}

}  // namespace mobileone
