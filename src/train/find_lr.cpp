#include "mobileone/train/find_lr.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "mobileone/optim/memory.h"
#include "mobileone/train/learner.h"
#include "mobileone/train/pretrained.h"
#include "mobileone/train/training_data.h"
#include "mobileone/util/error.h"
#include "mobileone/util/progress.h"

namespace mobileone {
namespace {

constexpr double kSmoothing = 0.9;
constexpr double kDiverged = 4;
/// The first tenth of the points is not judged: their average is still that of a few losses.
constexpr size_t kUnsettledShare = 10;

/// Batches without end, epoch after epoch.
class EndlessBatches {
 public:
  EndlessBatches(const Config& config, const Task& task, ImageList list)
      : config_(config), task_(task), loader_(std::move(list), training_loader_options(config)) {
    start();
  }

  Batch next() {
    for (int64_t tries = 0; tries < 2; ++tries) {
      if (auto batch = loader_.next()) return *std::move(batch);
      ++epoch_;
      start();
    }
    throw Error("{}: no readable image in it", config_.data.train);
  }

 private:
  void start() { loader_.start_epoch(epoch_, task_.train_transform(config_, epoch_)); }

  const Config& config_;
  const Task& task_;
  Loader loader_;
  int64_t epoch_ = 0;
};

double lowest_loss(const std::vector<LrPoint>& points) {
  double lowest = points.front().smoothed;
  for (const LrPoint& point : points) lowest = std::min(lowest, point.smoothed);
  return lowest;
}

}  // namespace

LrFindings find_learning_rate(Config config, const LrTest& test) {
  config.data.val.clear();
  TrainingData data = read_training_data(config);
  require_memory(config);
  Learner learner(config, Processes::none(), class_weights(config, data.train));
  load_pretrained(config, data.train, learner);
  EndlessBatches batches(config, learner.task(), std::move(data.train));
  Progress progress("learning rates", test.steps, "step");
  const double growth =
      std::pow(test.highest / test.lowest, 1.0 / std::max<int64_t>(1, test.steps - 1));
  std::vector<LrPoint> points;
  double lr = test.lowest, average = 0, weight = 0;
  for (int64_t step = 0; step < test.steps; ++step, lr *= growth) {
    const StepResult result =
        learner.step(batches.next(), {.lr = lr, .weight_decay = config.optimizer.weight_decay});
    if (!result.finite) break;
    average = kSmoothing * average + (1 - kSmoothing) * result.loss;
    weight = kSmoothing * weight + (1 - kSmoothing);
    points.push_back({lr, result.loss, average / weight});
    progress.update(step + 1, fmt::format("lr {:.3g}  loss {:.3f}", lr, result.loss));
    if (points.back().smoothed > kDiverged * lowest_loss(points)) break;
  }
  return judge_learning_rates(std::move(points));
}

LrFindings judge_learning_rates(std::vector<LrPoint> points) {
  constexpr const char* kAdvice =
      "the loss never fell in the learning-rate test; take more steps (--steps), lower the first "
      "rate "
      "(--from) or check the data";
  const size_t begin = points.size() / kUnsettledShare;
  if (points.size() < begin + 3) throw Error("{}", kAdvice);
  LrFindings findings;
  size_t lowest = begin;
  for (size_t i = begin; i < points.size(); ++i) {
    if (points[i].smoothed < points[lowest].smoothed) lowest = i;
  }
  double fastest = 0;
  for (size_t i = begin + 1; i < lowest; ++i) {
    const double slope = (points[i + 1].smoothed - points[i - 1].smoothed) /
                         std::log(points[i + 1].lr / points[i - 1].lr);
    if (slope >= fastest) continue;
    fastest = slope;
    findings.steepest = points[i].lr;
  }
  if (findings.steepest == 0) throw Error("{}", kAdvice);
  findings.lowest = points[lowest].lr;
  findings.suggested = std::sqrt(findings.steepest * findings.lowest / 10);
  findings.points = std::move(points);
  return findings;
}

}  // namespace mobileone
