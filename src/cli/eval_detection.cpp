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
#include "mobileone/data/resize.h"
#include "mobileone/eval/detection.h"
#include "mobileone/eval/detection_report.h"
#include "mobileone/task/voc_ap.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"
#include "mobileone/util/output.h"

namespace mobileone::cli {
namespace {

Box box_of(const std::array<double, 4>& box) {
  return {box[0], box[1], box[0] + box[2], box[1] + box[3]};
}

/// What is there, and what was found as surely as precision and recall are worth drawing.
std::string drawn(const ImageList& list, int64_t index, const DetectedImage& image,
                  const std::vector<std::string>& class_names) {
  constexpr double kShown = 0.3;
  constexpr int64_t kHeight = 320;
  constexpr int kQuality = 85;
  std::vector<DrawnBox> truth, found;
  for (const auto& object : image.objects) {
    truth.push_back({box_of(object.box), object.category,
                     class_names[static_cast<size_t>(object.category)], object.is_crowd});
  }
  for (const auto& each : image.found) {
    if (each.score < kShown) continue;
    found.push_back(
        {box_of(each.box), each.category,
         fmt::format("{} {:.2f}", class_names[static_cast<size_t>(each.category)], each.score)});
  }
  const at::Tensor picture = read_pixels(list, index);
  const at::Tensor row = at::cat({with_boxes(picture, truth), with_boxes(picture, found)}, 1);
  if (row.size(0) <= kHeight) return encode_jpeg(row, kQuality);
  const int64_t width = std::max<int64_t>(1, row.size(1) * kHeight / row.size(0));
  return encode_jpeg(resize(row, kHeight, width, Interpolation::kBilinear), kQuality);
}

/// The images of the most and the surest errors.
std::vector<Card> worst_cards(const DetectedSet& set, const DetectionEvaluation& result,
                              const ImageList& list, int64_t most) {
  const std::vector<double>& costs = result.errors.image_costs;
  std::vector<size_t> order(costs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return costs[a] > costs[b]; });
  std::vector<Card> cards;
  for (const size_t i : order) {
    if (std::ssize(cards) == most || costs[i] <= 0) break;
    const int64_t index = set.indices[i];
    const std::string caption = fmt::format("wrong scores and missed objects: {:.2f}", costs[i]);
    try {
      cards.push_back(
          {drawn(list, index, set.images[i], result.class_names), {caption, list.name(index)}});
    } catch (const Error&) {
      cards.push_back({"", {caption, list.name(index) + ": cannot be read any more"}});
    }
  }
  return cards;
}

/// Pascal VOC's average precision of what is not unreadable.
VocScores voc_scores(const DetectedSet& set) {
  VocMeter meter(std::ssize(set.class_names));
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
  ImageList list;
  DetectedSet set;
  processes.run([&] {
    list = read_object_list(options.data, options.annotations, model.config.data);
    require_same_evaluation(options, list, processes);
    set = detect_set(model, list, options.inference.evaluation, processes);
  });
  if (!processes.first()) return;
  if (set.images.empty()) throw Error("{}: no readable image in it", options.data);
  if (set.damaged > 0) log::warning("{} unreadable images left out", set.damaged);
  const DetectionEvaluation result = score_detections(set.class_names, set.images);
  if (!options.report.empty()) {
    write_detection_report(options.report,
                           fmt::format("{} ({}) on {}", model.origin, model.form, list.origin),
                           result, worst_cards(set, result, list, options.mistakes));
  }
  if (!options.results.empty()) {
    write_coco_results(options.results, *set.list.objects, set.found);
  }
  const VocScores voc = voc_scores(set);
  print_detection_evaluation(result, options.json,
                             NetworkFigures{voc.map07, voc.map, set.images_per_second()});
}

}  // namespace mobileone::cli
