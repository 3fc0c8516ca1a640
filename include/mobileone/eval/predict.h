#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "mobileone/data/image_list.h"
#include "mobileone/eval/evaluate.h"
#include "mobileone/eval/model.h"

namespace mobileone {

struct Prediction {
  int64_t index;  ///< of the class
  std::string class_name;
  double probability;  ///< softmax, 0 to 1
};

/// What a model makes of one image.
struct PredictedImage {
  std::string name;                 ///< in the list
  std::vector<Prediction> classes;  ///< most probable first; empty if the image cannot be read
  std::string error;                ///< why not; it names the image
};

/// Hands the `count` most probable classes of each image to `take`, in the list's order, a batch at
/// a time, with the model's own preprocessing; labels are passed over. Returns how many images
/// could not be read, which may be all. Throws Error if the model gives no logits.
int64_t predict(const Model& model, const ImageList& images, int64_t count,
                const EvaluationOptions& options,
                const std::function<void(const PredictedImage&)>& take);

}  // namespace mobileone
