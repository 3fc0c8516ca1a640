#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace mobileone {

/// Whether `bytes` begin as a PNG file does.
bool is_png(std::string_view bytes);

/// The image of a PNG file, uint8 RGB [H,W,3], of its first picture if it is animated. Chunks that
/// make no pixels (gamma, profiles, transparency) are passed over. Throws Error naming `name` if
/// the file is truncated, fails a check sum or has more than `kMaxImagePixels`.
at::Tensor decode_png(std::string_view bytes, const std::string& name);

/// The values that a PNG file of grey levels, or of indices into a palette, stores for its pixels,
/// neither scaled nor looked up: uint8 [H,W,B], of B = 1 or, of 16 bits, 2 bytes, the higher first.
/// Throws Error as `decode_png`, and if the file has colours or an alpha channel instead.
at::Tensor decode_png_values(std::string_view bytes, const std::string& name);

/// The bytes of a PNG file; `image` is uint8 RGB [H,W,3].
std::string encode_png(const at::Tensor& image);

/// Red, green and blue.
using Palette = std::array<std::array<uint8_t, 3>, 256>;

/// The bytes of a PNG file whose pixels are indices into a palette; `indices` is uint8 [H,W].
std::string encode_png_indices(const at::Tensor& indices, const Palette& palette);

/// The contents of the first chunk of a type, such as "eXIf", in a PNG file; empty if there is
/// none.
std::string_view find_png_chunk(std::string_view png, std::string_view type);

}  // namespace mobileone
