#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace mobileone {

/// Whether `bytes` begin as a GIF file does.
bool is_gif(std::string_view bytes);

/// The first picture of a GIF file, uint8 RGB [H,W,3]; transparent pixels have their palette's
/// colour. Where it is smaller than the canvas, the rest has the transparent colour or the
/// palette's first, as Pillow has it. Throws Error naming `name` if the file is truncated, damaged
/// or has more than `kMaxImagePixels`.
at::Tensor decode_gif(std::string_view bytes, const std::string& name);

}  // namespace mobileone
