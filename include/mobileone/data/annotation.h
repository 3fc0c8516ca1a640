#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "mobileone/data/object.h"

namespace mobileone {

/// The label of pixels whose class is not known, or of no interest: neither learnt nor judged.
inline constexpr uint8_t kIgnored = 255;

/// What is known of an image.
struct Annotation {
  int64_t label = -1;    ///< its class; -1: none
  at::Tensor mask = {};  ///< uint8 [H,W], the class of each pixel or kIgnored; undefined: none
  std::vector<Object> objects = {};  ///< what is in it, of a set for detection
};

/// An image and what is known of it.
struct Sample {
  at::Tensor image;  ///< uint8 [H,W,3], RGB
  Annotation annotation;
};

}  // namespace mobileone
