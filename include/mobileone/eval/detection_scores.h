#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mobileone/data/object.h"
#include "mobileone/dist/processes.h"
#include "mobileone/eval/detection_errors.h"
#include "mobileone/task/coco_ap.h"

namespace mobileone {

/// How detections compare with the objects of a set of images, by COCO's evaluation.
struct DetectionEvaluation {
  CocoScores scores;
  DetectionErrors errors;
  std::vector<std::string> class_names;  ///< by label
  int64_t images = 0;
  double seconds = 0;  ///< that the evaluation itself took
};

/// Labels are below the number of classes.
DetectionEvaluation score_detections(std::vector<std::string> class_names,
                                     std::span<const DetectedImage> images);

/// What was found in each image of a set, where each process has looked at some of them: afterwards
/// all have the detections of all, the same in the same order.
void share_detections(const Processes& processes, std::vector<std::vector<Detection>>& found);

}  // namespace mobileone
