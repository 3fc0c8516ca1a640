#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace mobileone {

/// Whether `bytes` begin as a PBM, PGM or PPM file does.
bool is_pnm(std::string_view bytes);

/// The image of a plain or binary PBM, PGM or PPM file, uint8 RGB [H,W,3]. Levels are scaled from
/// the file's maximum to 255 and rounded, as Pillow does with colour; grey is treated alike, also
/// of 16 bits, where Pillow's conversion clips. Throws Error naming `name` if the file is
/// truncated, damaged or has more than `kMaxImagePixels`.
at::Tensor decode_pnm(std::string_view bytes, const std::string& name);

}  // namespace mobileone
