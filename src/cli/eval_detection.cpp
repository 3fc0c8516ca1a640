#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "mobileone/cli/endings.h"
#include "mobileone/cli/tasks.h"
#include "mobileone/data/box_picture.h"
#include "mobileone/data/coco_results.h"
#include "mobileone/data/jpeg.h"
#include "mobileone/data/object_sets.h"
#include "mobileone/eval/detection.h"
#include "mobileone/eval/detection_report.h"
#include "mobileone/task/voc_ap.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"
#include "mobileone/util/output.h"

namespace mobileone::cli {
namespace {

/// What is there, and what was found as surely as is worth drawing.
std::string drawn(const DetectedSet& set, int64_t index) {
  constexpr double kShown = 0.3;
  constexpr int64_t kHeight = 320;
  const auto& names = set.list.class_names;
  std::vector<Detection> found = set.found[static_cast<size_t>(index)];
  std::erase_if(found, [](const Detection& each) { return each.score < kShown; });
  const at::Tensor picture = read_pixels(set.list, index);
  return small_jpeg(at::cat({with_objects(picture, set.list.objects->of(index), names),
                             with_detections(picture, found, names)},
                            1),
                    kHeight);
}

/// The images of the most and the surest errors.
std::vector<Card> worst_cards(const DetectedSet& set, const std::vector<double>& costs,
                              int64_t most) {
  std::vector<size_t> order(costs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return costs[a] > costs[b]; });
  std::vector<Card> cards;
  for (const size_t i : order) {
    if (std::ssize(cards) == most || costs[i] <= 0) break;
    const int64_t index = set.indices[i];
    const std::string caption = fmt::format("wrong scores and missed objects: {:.2f}", costs[i]);
    try {
      cards.push_back({drawn(set, index), {caption, set.list.name(index)}});
    } catch (const Error&) {
      cards.push_back({"", {caption, set.list.name(index) + ": cannot be read any more"}});
    }
  }
  return cards;
}

/// Pascal VOC's average precision of what is not unreadable.
VocScores voc_scores(const DetectedSet& set) {
  VocMeter meter(std::ssize(set.list.class_names));
  for (const int64_t index : set.indices) {
    meter.add(index, set.list.objects->of(index), set.found[static_cast<size_t>(index)]);
  }
  return meter.scores();
}

}  // namespace

void eval_detection(const EvalOptions& options, const Model& model, const Processes& processes) {
  if (processes.first() && !options.report.empty()) {
    require_detection_report(options.report, {options.inference.model, options.data});
  }
  if (processes.first() && !options.results.empty()) {
    require_ending("--results", options.results, {".json"});
    require_output(options.results, {options.inference.model, options.data});
  }
  if (options.inference.evaluation.restrict) {
    throw Error("--restrict: is for classification; {} finds objects", model.origin);
  }
  DetectedSet set;
  processes.run([&] {
    const ImageList list = read_object_list(options.data, options.annotations, model.config.data);
    require_same_evaluation(options, list, processes);
    set = detect_set(model, list, options.inference.evaluation, processes);
  });
  if (!processes.first()) return;
  if (set.images.empty()) throw Error("{}: no readable image in it", options.data);
  if (set.damaged > 0) log::warning("{} unreadable images left out", set.damaged);
  const DetectionEvaluation result = score_detections(set.list.class_names, set.images);
  if (!options.report.empty()) {
    write_detection_report(options.report,
                           fmt::format("{} ({}) on {}", model.origin, model.form, set.list.origin),
                           result, worst_cards(set, result.errors.image_costs, options.mistakes));
  }
  if (!options.results.empty()) {
    write_coco_results(options.results, *set.list.objects, set.found);
  }
  const VocScores voc = voc_scores(set);
  print_detection_evaluation(result, options.json,
                             NetworkFigures{voc.map07, voc.map, set.images_per_second()});
}

}  // namespace mobileone::cli
