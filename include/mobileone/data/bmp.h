#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace mobileone {

/// Whether `bytes` begin as a BMP file does.
bool is_bmp(std::string_view bytes);

/// The image of a bitmap of Windows or OS/2, uint8 RGB [H,W,3]: of 1 to 32 bits, of any masks, RLE,
/// and from the top down, too. A channel of n bits is scaled by 255 / (2^n - 1) and cut, as Pillow
/// does. Throws Error naming `name` if the file is truncated, damaged, of another kind or has more
/// than `kMaxImagePixels`.
at::Tensor decode_bmp(std::string_view bytes, const std::string& name);

}  // namespace mobileone
