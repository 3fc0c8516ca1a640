#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mobileone/eval/detection_scores.h"
#include "mobileone/report/page.h"

namespace mobileone {

/// A line per class: AP, AP50 (percent, empty without objects), objects and detections; as CSV with
/// a header.
std::string per_class_csv(const DetectionEvaluation& evaluation);

/// Throws Error unless a report of what is computed from `inputs` can be written to the folder
/// `dir` without loss (see `require_outputs`): asked before the evaluation.
void require_detection_report(const std::filesystem::path& dir,
                              const std::vector<std::filesystem::path>& inputs);

/// Writes report.html and as CSV per_class, precision_recall (percent; of each class and overlap
/// the highest precision at each recall or beyond) and errors. `measured` says what was compared
/// with what; `worst` are images to look at, left out where there are none. Throws Error naming the
/// file that cannot be written.
void write_detection_report(const std::filesystem::path& dir, const std::string& measured,
                            const DetectionEvaluation& evaluation,
                            const std::vector<Card>& worst = {});

}  // namespace mobileone
