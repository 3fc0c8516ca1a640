#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "mobileone/eval/evaluate.h"

namespace mobileone {

/// The page of an evaluation: summary, calibration, scores by class, the most confused classes, and
/// a link to mistakes.html.
std::string evaluation_page(const Evaluation& evaluation, const Model& model,
                            const ImageList& list);

/// Throws Error unless a report of what is computed from `inputs` can be written to the folder
/// `dir` without loss (see `require_outputs`): asked before the evaluation.
void require_report(const std::filesystem::path& dir,
                    const std::vector<std::filesystem::path>& inputs);

/// Writes report.html, mistakes.html (at most `shown_mistakes` thumbnails of the images in `list`,
/// which are read again) and, as CSV, per_class, confused_pairs, calibration and mistakes; of few
/// enough classes (confusion.h) the matrix, confusion.csv and confusion.svg, too.
/// Throws Error naming the file that cannot be written.
void write_report(const std::filesystem::path& dir, const Evaluation& evaluation,
                  const Model& model, const ImageList& list, int64_t shown_mistakes);

}  // namespace mobileone
