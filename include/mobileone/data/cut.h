#pragma once

#include <array>
#include <cstdint>

#include "mobileone/config/config.h"

namespace mobileone {

/// In pixels.
struct CropBox {
  int64_t top;
  int64_t left;
  int64_t height;
  int64_t width;
};

/// What a network is shown of a picture.
struct Cut {
  CropBox box;     ///< of the picture, inside it
  int64_t height;  ///< that the box is resized to
  int64_t width;
  CropBox window;     ///< of the resized box, the part that is kept; `fill` where it lies outside
  bool flip = false;  ///< whether the window's rows are reversed
  Interpolation interpolation = Interpolation::kBilinear;
  std::array<uint8_t, 3> fill = {0, 0, 0};  ///< RGB
};

}  // namespace mobileone
