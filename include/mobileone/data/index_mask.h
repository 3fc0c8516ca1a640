#pragma once

#include <ATen/core/Tensor.h>

#include <array>
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

/// Throws Error naming the mask where one of its labels, uint8 [H,W], is neither below `classes`
/// nor kIgnored.
void require_mask_labels(const at::Tensor& mask, int64_t classes, const std::string& name);

/// Throws Error naming the image unless its mask, if there is one, has its size.
void require_mask_size(const at::Tensor& mask, int64_t height, int64_t width,
                       const std::string& name);

/// How many pixels of a mask, uint8 [H,W], have each label.
std::array<int64_t, 256> label_counts(const at::Tensor& mask);

/// The palette of Pascal VOC's masks, in which neighbours differ well.
const Palette& voc_palette();

}  // namespace mobileone
