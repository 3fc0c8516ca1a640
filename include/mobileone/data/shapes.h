#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mobileone/util/random.h"

namespace mobileone {

struct ShapesOptions {
  int64_t train_per_class = 200;
  int64_t val_per_class = 50;
  int64_t size = 64;  ///< px
  uint64_t seed = 0;
};

/// The ten classes: outlines (circle, star, ...) and textures (stripes, dots, ...).
std::vector<std::string_view> shape_names();

/// One figure of class `shape` in random colour, size, position and rotation, on a random
/// background with clutter and noise; uint8 [size,size,3]. Colour and place say nothing about the
/// class.
at::Tensor draw_shape(int64_t shape, int64_t size, Random& random);

/// Draws a labelled data set: `folder`/{train,val}/CLASS/NNNN.jpg. The same options give the same
/// bytes. The set appears whole or not at all (it is drawn in `folder`.partial and renamed); if it
/// is there already, nothing is done. Returns whether it was drawn. Throws Error if `folder` holds
/// anything else.
bool draw_shapes(const std::string& folder, const ShapesOptions& options);

}  // namespace mobileone
