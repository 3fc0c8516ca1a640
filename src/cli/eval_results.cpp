#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "mobileone/cli/tasks.h"
#include "mobileone/eval/detection_report.h"
#include "mobileone/report/text.h"
#include "mobileone/util/one_line.h"

namespace mobileone::cli {
namespace {

/// JSON knows no NaN: null is what there is nothing to say of.
nlohmann::ordered_json percent(double share) {
  return std::isfinite(share) ? nlohmann::ordered_json(100 * share) : nullptr;
}

void print_json(const DetectionEvaluation& result, const std::optional<NetworkFigures>& network) {
  nlohmann::ordered_json json;
  for (const auto& [name, number] : kCocoNumbers) json[name] = percent(result.scores.*number);
  auto& of_classes = json["class_ap"] = nlohmann::ordered_json::object();
  for (size_t i = 0; i < result.class_names.size(); ++i) {
    of_classes[result.class_names[i]] = percent(result.scores.class_ap[i]);
  }
  for (size_t i = 0; i < kDetectionErrors.size(); ++i) {
    const auto& [count, cost] = result.errors.kinds[i];
    json["errors"][kDetectionErrors[i]] = {{"count", count}, {"ap50", percent(cost)}};
  }
  json["images"] = result.images;
  json["seconds"] = result.seconds;
  if (network) {
    json.update({{"voc07_ap", percent(network->voc07)},
                 {"voc_ap", percent(network->voc)},
                 {"images_per_second", network->images_per_second}});
  }
  // Names may be any bytes.
  constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
  fmt::print("{}\n", json.dump(-1, ' ', false, kReplace));
}

std::string percent_text(double share) { return number_or("-", 100 * share); }

void print_text(const DetectionEvaluation& result, const std::optional<NetworkFigures>& network) {
  const CocoScores& scores = result.scores;
  std::vector<std::string> names;
  for (const auto& name : result.class_names) names.push_back(one_line(name));
  size_t width = 12;
  for (const auto& name : names) width = std::max(width, name.size());
  fmt::print("{:<{}}    AP %  AP50 %  objects  detections\n", "class", width);
  for (size_t i = 0; i < names.size(); ++i) {
    fmt::print("{:<{}}  {:>6}  {:>6}  {:>7}  {:>10}\n", names[i], width,
               percent_text(scores.class_ap[i]), percent_text(scores.class_ap50[i]),
               scores.class_objects[i], scores.class_detections[i]);
  }
  fmt::print("\n{:<{}}   count  costs points of AP50\n", "error", width);
  for (size_t i = 0; i < kDetectionErrors.size(); ++i) {
    const auto& [count, cost] = result.errors.kinds[i];
    fmt::print("{:<{}}  {:>6}  {:>20}\n", kDetectionErrors[i], width, count, percent_text(cost));
  }
  fmt::print("\n");
  for (const auto& [name, number] : kCocoNumbers) {
    fmt::print("{:<{}}  {:>6} %\n", name, width, percent_text(scores.*number));
  }
  if (!network) return;
  fmt::print("{:<{}}  {:>6} % (2007: {} %)\n", "voc_ap", width, percent_text(network->voc),
             percent_text(network->voc07));
  fmt::print("\n{} images, {:.1f} img/s\n", result.images, network->images_per_second);
}

}  // namespace

void print_detection_evaluation(const DetectionEvaluation& result, bool as_json,
                                const std::optional<NetworkFigures>& network) {
  as_json ? print_json(result, network) : print_text(result, network);
}

void eval_results(const EvalOptions& options) {
  if (!options.report.empty()) {
    require_detection_report(options.report, {options.detections, options.data});
  }
  CocoAnnotations annotations = read_coco(options.data, CocoParts::kBoxes);
  auto found = read_coco_results(options.detections, annotations);
  std::vector<DetectedImage> images;
  for (size_t i = 0; i < found.size(); ++i) {
    CocoImage& image = annotations.images[i];
    images.push_back({image.id, std::move(image.objects), std::move(found[i])});
  }
  std::vector<std::string> names;
  for (auto& category : annotations.categories) names.push_back(std::move(category.name));
  const DetectionEvaluation result = score_detections(std::move(names), images);
  if (!options.report.empty()) {
    write_detection_report(options.report,
                           fmt::format("{} against {}", options.detections, options.data), result);
  }
  print_detection_evaluation(result, options.json);
}

}  // namespace mobileone::cli
