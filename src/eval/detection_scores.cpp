#include "mobileone/eval/detection_scores.h"

#include <chrono>
#include <utility>

#include "mobileone/util/seconds.h"

namespace mobileone {

DetectionEvaluation score_detections(std::vector<std::string> class_names,
                                     std::span<const DetectedImage> images) {
  const auto start = std::chrono::steady_clock::now();
  const int64_t classes = std::ssize(class_names);
  CocoMeter meter(classes);
  for (const auto& [id, objects, found] : images) meter.add(id, objects, found);
  DetectionEvaluation result{meter.scores(), find_detection_errors(classes, images),
                             std::move(class_names), std::ssize(images)};
  result.seconds = seconds_since(start);
  return result;
}

}  // namespace mobileone
