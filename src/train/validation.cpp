#include "mobileone/train/validation.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "mobileone/util/log.h"
#include "mobileone/util/progress.h"

namespace mobileone {
namespace {

LoaderOptions validation_options(const Task& task, const Config& config,
                                 const Processes& processes) {
  LoaderOptions options = task.eval_options(config.data, config.schedule.batch_size);
  options.part = {.rank = processes.rank(), .size = processes.size(), .whole_batches = true};
  return options;
}

double value_of(const Metrics& metrics, std::string_view name) {
  const auto found = std::ranges::find(
      metrics, name, [](const auto& metric) -> std::string_view { return metric.first; });
  return found == metrics.end() ? NAN : found->second;
}

/// A set of weights as it is judged.
struct Candidate {
  Weights weights;
  std::string prefix;  ///< of its metrics
  MobileOne network;   ///< folded
  std::unique_ptr<Meter> meter;

  /// Percent; negative where it computed no numbers for some image, or nothing was judged.
  double score(const Task& task) const {
    const double value = value_of(meter->metrics(), task.metric().name);
    return meter->without_numbers() > 0 || std::isnan(value) ? -1 : value;
  }
  /// Higher is better.
  std::pair<double, double> rank(const Task& task) const {
    const double loss = value_of(meter->metrics(), "loss");
    return {score(task), std::isnan(loss) ? -INFINITY : -loss};
  }
};

std::vector<Candidate> candidates_of(Learner& learner, const Task& task) {
  torch::NoGradGuard no_grad;
  std::vector<Candidate> candidates;
  candidates.push_back({Weights::kRaw, "val", fold(learner.network()), task.meter()});
  if (Ema* ema = learner.ema()) {
    const AverageInPlace average(*ema);
    candidates.push_back({Weights::kAverage, "ema", fold(learner.network()), task.meter()});
  }
  return candidates;
}

}  // namespace

Validation::Validation(ImageList list, const Config& config, const Processes& processes)
    : data_(config.data),
      task_(task_of(config)),
      processes_(processes),
      loader_(std::move(list), validation_options(*task_, config, processes)) {}

Verdict Validation::judge(Learner& learner, const std::function<void()>& before,
                          const std::string& label) {
  std::vector<Candidate> candidates = candidates_of(learner, *task_);
  std::optional<Progress> progress;
  if (processes_.first()) progress.emplace(label, list().size(), "img");
  int64_t done = 0;
  loader_.start_epoch(0, task_->eval_transform(data_));
  for_each_batch(loader_, processes_, before, [&](const Batch& batch) {
    const auto images = batch.images.to(learner.device());
    for (Candidate& each : candidates) {
      Outputs outputs = learner.forward(each.network, images);
      for (auto& output : outputs) output = output.to(torch::kCPU);
      each.meter->add(outputs, batch);
    }
    done += images.size(0) * processes_.size();  // the others have done about as many
    if (progress) progress->update(std::min(done, list().size()), "");
  });
  Verdict verdict;
  const Candidate* best = nullptr;
  for (Candidate& each : candidates) {
    Meter& meter = *each.meter;
    meter.sum_over(processes_);
    require_few_damaged(list(), list().size() - meter.images());
    if (meter.without_numbers() > 0) {
      log::warning("validation: the {} weights compute no numbers for {} of {} images",
                   to_string(each.weights), meter.without_numbers(), meter.images());
    }
    for (const auto& [name, value] : meter.metrics()) {
      verdict.metrics.emplace_back(each.prefix + "_" + name, value);
    }
    if (best == nullptr || each.rank(*task_) > best->rank(*task_)) best = &each;
  }
  verdict.better = best->weights;
  verdict.score = best->score(*task_);
  if (candidates.size() > 1) {
    verdict.metrics.emplace_back("ema_better", best->weights == Weights::kAverage ? 1 : 0);
  }
  return verdict;
}

}  // namespace mobileone
