#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace mobileone {

/// Whether `bytes` begin as a TIFF file does.
bool is_tiff(std::string_view bytes);

/// The first image of a TIFF file, uint8 RGB [H,W,3], turned as its orientation says, which is how
/// Pillow reads it. Colour that was multiplied by its transparency is divided by it again; 12 and
/// 16 bits are cut to 8. Throws Error naming `name` if the file is truncated, damaged, of numbers
/// that are no levels (signed, floating-point or of 32 bits), of a colour space that Pillow does
/// not convert, or has more than `kMaxImagePixels`.
at::Tensor decode_tiff(std::string_view bytes, const std::string& name);

}  // namespace mobileone
