#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "mobileone/data/png.h"

namespace mobileone {

/// A mask's labels are of 8 bits, of which one value is kIgnored.
inline constexpr int64_t kMostMaskClasses = 255;

/// What the values of mask files stand for.
struct MaskLabels {
  int64_t ignore_label = 255;      ///< value of pixels that are ignored; 255 always is one, too
  bool reduce_zero_label = false;  ///< 0 is ignored as well, and class c is stored as c + 1
  int64_t num_classes = kMostMaskClasses;  ///< 1 to kMostMaskClasses
};

/// The labels of a mask file, uint8 [H,W]: classes, or kIgnored. The file is a PNG of indices into
/// a palette (whose colours mean nothing) or of grey levels, of 1 to 16 bits a pixel. Throws Error
/// naming `name` if it is another kind of file, a damaged one, or one of colours, and where a value
/// stands for no class, with its place.
at::Tensor decode_index_mask(std::string_view bytes, const std::string& name,
                             const MaskLabels& labels);

/// The palette of Pascal VOC's masks, in which neighbours differ well.
const Palette& voc_palette();

}  // namespace mobileone
