#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "mobileone/eval/segmentation.h"

namespace mobileone {

/// How well a class is segmented; percent, NaN where there is nothing to divide by.
struct SegmentedClass {
  int64_t label;
  double iou;
  double recall;     ///< of the pixels labelled so, those predicted so
  double precision;  ///< of the pixels predicted so, those labelled so
  double share;      ///< of the labelled pixels, those of the class
};

/// By label.
std::vector<SegmentedClass> per_class(const PixelConfusion& confusion);

/// A line per class: label, IoU, recall, precision and share of the labelled pixels, in percent; as
/// CSV with a header.
std::string per_class_csv(const SegmentationEvaluation& evaluation);

/// Throws Error unless a report of what is computed from `inputs` can be written to the folder
/// `dir` without loss (see `require_outputs`): asked before the evaluation.
void require_segmentation_report(const std::filesystem::path& dir,
                                 const std::vector<std::filesystem::path>& inputs);

/// Writes report.html, with the `shown` images of the lowest mIoU as picture, mask and prediction,
/// which are computed again, and as CSV per_class, confusion (pixels: row is the label, column the
/// prediction) and images. Throws Error naming the file that cannot be written.
void write_segmentation_report(const std::filesystem::path& dir,
                               const SegmentationEvaluation& evaluation, const Model& model,
                               const ImageList& list, const EvaluationOptions& options,
                               int64_t shown);

}  // namespace mobileone
