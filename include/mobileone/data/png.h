#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace mobileone {

/// Whether `bytes` begin as a PNG file does.
bool is_png(std::string_view bytes);

/// The image of a PNG file, uint8 RGB [H,W,3], of its first picture if it is animated. Chunks that
/// make no pixels (gamma, profiles, transparency) are passed over. Throws Error naming `name` if
/// the file is truncated, fails a check sum or has more than `kMaxImagePixels`.
at::Tensor decode_png(std::string_view bytes, const std::string& name);

/// The bytes of a PNG file; `image` is uint8 RGB [H,W,3].
std::string encode_png(const at::Tensor& image);

/// The contents of the first chunk of a type, such as "eXIf", in a PNG file; empty if there is
/// none.
std::string_view find_png_chunk(std::string_view png, std::string_view type);

}  // namespace mobileone
