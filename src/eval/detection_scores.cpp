#include "mobileone/eval/detection_scores.h"

#include <chrono>
#include <cstring>
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

void share_detections(const Processes& processes, std::vector<std::vector<Detection>>& found) {
  if (processes.alone()) return;
  struct Row {
    int64_t image, label;
    Box box;
    double score;
  };
  std::string own;
  for (size_t i = 0; i < found.size(); ++i) {
    for (const auto& [box, label, score] : found[i]) {
      const Row row{static_cast<int64_t>(i), label, box, score};
      own.append(reinterpret_cast<const char*>(&row), sizeof row);
    }
    found[i].clear();
  }
  for (const std::string& bytes : processes.gather(own)) {
    for (size_t at = 0; at < bytes.size(); at += sizeof(Row)) {
      Row row;
      std::memcpy(&row, bytes.data() + at, sizeof row);
      found[static_cast<size_t>(row.image)].push_back(
          {row.box, static_cast<int32_t>(row.label), row.score});
    }
  }
}

}  // namespace mobileone
