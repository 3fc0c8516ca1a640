#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mobileone/data/object.h"
#include "mobileone/util/box.h"

namespace mobileone {

/// A box to be drawn.
struct DrawnBox {
  Box box;
  int64_t label = 0;  ///< whose colour it has (Pascal VOC's palette from 1 on)
  std::string text = {};
  bool thin = false;
};

/// A picture, uint8 [H,W,3], with boxes drawn on it, the first ones on top: each a frame of its
/// class's colour and a text on a ground of that colour.
at::Tensor with_boxes(const at::Tensor& image, const std::vector<DrawnBox>& boxes);

/// With objects and the names of their classes (by label, or its number); those of crowds and
/// difficult objects, which are not learnt, are thin.
at::Tensor with_objects(const at::Tensor& image, std::span<const Object> objects,
                        const std::vector<std::string>& class_names);

/// With what was found, its classes and scores.
at::Tensor with_detections(const at::Tensor& image, std::span<const Detection> found,
                           const std::vector<std::string>& class_names);

}  // namespace mobileone
