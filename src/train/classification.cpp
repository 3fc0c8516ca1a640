#include "mobileone/train/classification.h"

#include <torch/utils.h>

#include <algorithm>
#include <limits>

#include "mobileone/optim/loss.h"

namespace mobileone {

void ClassificationMeter::add(const torch::Tensor& logits, const torch::Tensor& labels) {
  torch::NoGradGuard no_grad;
  const int64_t considered = std::min<int64_t>(5, logits.size(1));
  const auto best = std::get<1>(logits.topk(considered, 1));
  const auto sound = logits.amax(1, /*keepdim=*/true).isfinite();
  const auto hits = best.eq(labels.unsqueeze(1)).logical_and(sound);
  images_ += labels.size(0);
  top1_ += hits.select(1, 0).sum().item<int64_t>();
  without_numbers_ += labels.size(0) - sound.sum().item<int64_t>();
  if (has_top5(logits.size(1))) {
    of_many_ += labels.size(0);
    top5_ += hits.sum().item<int64_t>();
  }
  loss_ += classification_loss(logits, labels, 0).item<double>() * labels.size(0);
}

void ClassificationMeter::sum_over(const Workers& workers) {
  const auto sums = workers.sums({static_cast<double>(images_), static_cast<double>(top1_),
                                  static_cast<double>(of_many_), static_cast<double>(top5_), loss_,
                                  static_cast<double>(without_numbers_)});
  images_ = static_cast<int64_t>(sums[0]);
  top1_ = static_cast<int64_t>(sums[1]);
  of_many_ = static_cast<int64_t>(sums[2]);
  top5_ = static_cast<int64_t>(sums[3]);
  loss_ = sums[4];
  without_numbers_ = static_cast<int64_t>(sums[5]);
}

double ClassificationMeter::top5() const {
  return of_many_ > 0 ? 100.0 * top5_ / of_many_ : std::numeric_limits<double>::quiet_NaN();
}

void for_each_batch(Loader& loader, const Workers& workers, const std::function<void()>& before,
                    const std::function<void(const Batch&)>& see) {
  torch::NoGradGuard no_grad;
  while (true) {
    const auto batch = loader.next();
    // One process may be done before the others, and waits for them here, so that none waits long.
    if (workers.sums({batch ? 1.0 : 0.0})[0] == 0) break;
    if (before) before();
    if (batch) see(*batch);
  }
}

ClassificationMeter evaluate_classification(
    const std::function<torch::Tensor(const torch::Tensor&)>& forward, Loader& loader,
    const torch::Device& device, const Workers& workers, const EvaluationObserver& observer) {
  ClassificationMeter meter;
  for_each_batch(loader, workers, observer.before, [&](const Batch& batch) {
    const auto logits = forward(batch.images.to(device)).to(torch::kCPU);
    meter.add(logits, batch.labels);
    if (observer.after) observer.after(logits, batch);
  });
  meter.sum_over(workers);
  require_few_damaged(loader.list(), loader.list().size() - meter.images());
  return meter;
}

}  // namespace mobileone
