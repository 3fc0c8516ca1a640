#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "mobileone/data/image_list.h"
#include "mobileone/data/object.h"
#include "mobileone/dist/processes.h"
#include "mobileone/eval/detection_errors.h"
#include "mobileone/eval/evaluate.h"
#include "mobileone/eval/model.h"

namespace mobileone {

/// What a network finds in a set of images with boxes, beside what is there.
struct DetectedSet {
  ImageList list = {};                             ///< the set, with the model's labels
  std::vector<std::vector<Detection>> found = {};  ///< in each of its images
  std::vector<DetectedImage> images = {};  ///< those that could be read, in the list's order
  std::vector<int64_t> indices = {};       ///< of each of them, in the list
  int64_t damaged = 0;                     ///< images that could not be read
  double seconds = 0;                      ///< for reading and computing

  double images_per_second() const {
    return seconds > 0 ? static_cast<double>(images.size()) / seconds : 0;
  }
};

/// Looks for objects with the model's own preprocessing; boxes are in pixels of the pictures. Of
/// the options `restrict` means nothing here. With `processes` each process takes every n-th batch,
/// and all get the result of all. Throws Error if the set has classes that the model has not, or
/// more than 1 % of the images cannot be read.
DetectedSet detect_set(const Model& model, const ImageList& list, const EvaluationOptions& options,
                       const Processes& processes = Processes::none());

/// What a network finds in an image.
struct DetectedPicture {
  int64_t index;                      ///< in the list of images
  std::vector<Detection> found = {};  ///< best first; boxes in pixels of the picture
  std::string error = {};             ///< why it cannot be read; it names the image
};

/// Hands each image of a list to `take`, in the list's order; annotations are passed over. Returns
/// how many could not be read.
int64_t detect(const Model& model, const ImageList& images, const EvaluationOptions& options,
               const std::function<void(const DetectedPicture&)>& take);

}  // namespace mobileone
