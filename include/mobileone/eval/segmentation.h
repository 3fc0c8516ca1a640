#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "mobileone/data/image_list.h"
#include "mobileone/dist/processes.h"
#include "mobileone/eval/evaluate.h"
#include "mobileone/eval/model.h"
#include "mobileone/task/segmentation.h"

namespace mobileone {

/// How well a network segments one image; percent, NaN where no pixel is labelled.
struct SegmentedImage {
  int64_t index;  ///< in the list of images
  double miou;    ///< over the classes in its mask or its prediction
  double pixel_accuracy;
};

/// What a network makes of a set of images with masks.
struct SegmentationEvaluation {
  SegmentationMeter meter;
  std::vector<SegmentedImage> images = {};    ///< those that could be read, in the list's order
  std::vector<std::string> class_names = {};  ///< by class; its number where the model names none
  int64_t damaged = 0;                        ///< images that could not be read
  double seconds = 0;

  double images_per_second() const {
    return seconds > 0 ? static_cast<double>(meter.images()) / seconds : 0;
  }
};

/// Evaluates with the model's own preprocessing at the size of the masks: the picture's short side
/// is resized to data.eval_resize, the logits are resized back. Of the options batch size and
/// `restrict` mean nothing here. With `processes` each process takes every n-th image, and all get
/// the result of all. Throws Error if the classes of the set are not the model's, a label is none
/// of them, or more than 1 % of the images cannot be read.
SegmentationEvaluation evaluate_segmentation(const Model& model, const ImageList& list,
                                             const EvaluationOptions& options,
                                             const Processes& processes = Processes::none());

/// Classes that a segmentation network tells apart, asked with one black image; Throws Error if it
/// gives anything but logits [N,classes,H,W].
int64_t count_segmentation_classes(const Model& model, Precision precision);

/// An image as a network segments it.
struct SegmentedPicture {
  int64_t index;           ///< in the list of images
  at::Tensor image;        ///< uint8 [H,W,3]; undefined if it cannot be read
  at::Tensor mask;         ///< uint8 [H,W], the class of each pixel
  std::string error = {};  ///< why it cannot be read; it names the image
};

/// One image of a list. Throws Error if it cannot be read.
SegmentedPicture segment_one(const Model& model, const ImageList& list, int64_t index,
                             Precision precision);

/// Hands each image of a list to `take`, in the list's order; annotations are passed over. Returns
/// how many could not be read.
int64_t segment(const Model& model, const ImageList& images, const EvaluationOptions& options,
                const std::function<void(const SegmentedPicture&)>& take);

}  // namespace mobileone
