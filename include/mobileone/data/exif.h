#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

namespace mobileone {

/// The orientation that the metadata of a JPEG, PNG or WebP file give, 1 to 8 (CIPA DC-008, 4.6.4,
/// tag 274): those of EXIF or, where it has none, of XMP, as Pillow's `exif_transpose` takes them.
/// 1, upright, where there is none or what is there is damaged, and for other files.
int exif_orientation(std::string_view file);

/// The image [H,W,3] as Pillow's `exif_transpose` turns or mirrors it, contiguous; [W,H,3] for
/// orientations from 5 on.
at::Tensor turn_upright(const at::Tensor& image, int orientation);

}  // namespace mobileone
