#pragma once

#include <string>
#include <vector>

#include "mobileone/data/image_list.h"
#include "mobileone/dist/processes.h"
#include "mobileone/eval/model.h"
#include "mobileone/task/classification.h"

namespace mobileone {

struct EvaluationOptions {
  int64_t batch_size = 64;
  int64_t workers = 2;  ///< threads that read images
  Precision precision = Precision::kFloat32;
  /// Only the classes that the set has images of compete, as for ImageNet-A.
  bool restrict = false;
};

/// What a model makes of one image.
struct ImageResult {
  int64_t index;  ///< in the list of images
  int64_t label;
  int64_t prediction;  ///< the class of the largest logit
  double probability;  ///< the prediction's, softmax, 0 to 1; NaN if the logits are not finite
};

/// What a model makes of a labelled set.
struct Evaluation {
  ClassificationMeter meter;
  std::vector<ImageResult> images;       ///< those that could be read, in the list's order
  std::vector<std::string> class_names;  ///< by class; its number where the model names none
  int64_t present = 0;                   ///< classes that the set has images of
  int64_t damaged = 0;                   ///< images that could not be read
  double seconds = 0;

  double images_per_second() const { return seconds > 0 ? meter.images() / seconds : 0; }
};

/// Evaluates with the model's own preprocessing, on a set that may have a part of the model's
/// classes (class_match.h). With `processes` each process takes every n-th
/// batch, and the result, which all get, is the one that one process would have. Throws Error if
/// the classes of the set are not the model's, a label is out of range, or more than 1 % of the
/// images cannot be read.
Evaluation evaluate(const Model& model, const ImageList& list, const EvaluationOptions& options,
                    const Processes& processes = Processes::none());

}  // namespace mobileone
