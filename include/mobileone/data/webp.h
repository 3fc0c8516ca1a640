#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace mobileone {

/// Whether `bytes` begin as a WebP file does.
bool is_webp(std::string_view bytes);

/// The image of a WebP file, uint8 RGB [H,W,3], transparency dropped; of an animation, the first
/// picture, on black where the canvas is larger. Throws Error naming `name` if the file is
/// truncated, damaged or has more than `kMaxImagePixels`.
at::Tensor decode_webp(std::string_view bytes, const std::string& name);

/// The contents of the first chunk of a type, such as "EXIF", in a WebP file; empty if there is
/// none.
std::string_view find_webp_chunk(std::string_view webp, std::string_view type);

}  // namespace mobileone
