#include "mobileone/train/validation.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "mobileone/train/classification.h"
#include "mobileone/util/log.h"
#include "mobileone/util/progress.h"

namespace mobileone {
namespace {

LoaderOptions validation_options(const Config& config, const Workers& workers) {
  LoaderOptions options = loader_options(config.data);
  options.batch_size = config.schedule.batch_size;
  options.share = {.rank = workers.rank(), .size = workers.size(), .whole_batches = true};
  return options;
}

/// A set of weights as it is judged.
struct Candidate {
  Weights weights;
  std::string prefix;  ///< of its metrics
  MobileOne network;   ///< folded
  ClassificationMeter meter = {};

  /// Negative where it computed no numbers for some image.
  double top1() const { return meter.without_numbers() > 0 ? -1 : meter.top1(); }
  /// Higher is better.
  std::pair<double, double> score() const {
    return {top1(), std::isnan(meter.loss()) ? -INFINITY : -meter.loss()};
  }
};

std::vector<Candidate> candidates_of(Learner& learner) {
  torch::NoGradGuard no_grad;
  std::vector<Candidate> candidates{{Weights::kRaw, "val", fold(learner.network())}};
  if (Ema* ema = learner.ema()) {
    const AverageInPlace average(*ema);
    candidates.push_back({Weights::kAverage, "ema", fold(learner.network())});
  }
  return candidates;
}

}  // namespace

Validation::Validation(ImageList list, const Config& config, const Workers& workers)
    : data_(config.data),
      workers_(workers),
      loader_(std::move(list), validation_options(config, workers)) {}

Verdict Validation::judge(Learner& learner, const std::function<void()>& before,
                          const std::string& label) {
  std::vector<Candidate> candidates = candidates_of(learner);
  std::optional<Progress> progress;
  if (workers_.first()) progress.emplace(label, list().size(), "img");
  int64_t done = 0;
  loader_.start_epoch(0, eval_transform(data_));
  for_each_batch(loader_, workers_, before, [&](const Batch& batch) {
    const auto images = batch.images.to(learner.device());
    for (Candidate& each : candidates) {
      each.meter.add(learner.forward(each.network, images).to(torch::kCPU), batch.labels);
    }
    done += batch.labels.size(0) * workers_.size();  // the others have done about as many
    if (progress) progress->update(std::min(done, list().size()), "");
  });
  Verdict verdict;
  const Candidate* best = nullptr;
  for (Candidate& each : candidates) {
    ClassificationMeter& meter = each.meter;
    meter.sum_over(workers_);
    require_few_damaged(list(), list().size() - meter.images());
    if (meter.without_numbers() > 0) {
      log::warning("validation: the {} weights compute no numbers for {} of {} images",
                   to_string(each.weights), meter.without_numbers(), meter.images());
    }
    verdict.metrics.emplace_back(each.prefix + "_loss", meter.loss());
    verdict.metrics.emplace_back(each.prefix + "_top1", meter.top1());
    if (std::isfinite(meter.top5())) {
      verdict.metrics.emplace_back(each.prefix + "_top5", meter.top5());
    }
    if (best == nullptr || each.score() > best->score()) best = &each;
  }
  verdict.better = best->weights;
  verdict.top1 = best->top1();
  if (candidates.size() > 1) {
    verdict.metrics.emplace_back("ema_better", best->weights == Weights::kAverage ? 1 : 0);
  }
  return verdict;
}

}  // namespace mobileone
