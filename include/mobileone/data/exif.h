#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

namespace mobileone {

/// The orientation that a JPEG file's EXIF gives, 1 to 8 (CIPA DC-008, 4.6.4, tag 274); 1, upright,
/// where there is none or what is there is damaged.
int exif_orientation(std::string_view jpeg);

/// The image [H,W,3] as Pillow's `exif_transpose` turns or mirrors it, contiguous; [W,H,3] for
/// orientations from 5 on.
at::Tensor turn_upright(const at::Tensor& image, int orientation);

}  // namespace mobileone
