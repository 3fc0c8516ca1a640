#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace mobileone {

/// Whether `bytes` begin as a JPEG file does.
bool is_jpeg(std::string_view bytes);

/// Decodes to a uint8 RGB image [H,W,3] with libjpeg's exact inverse DCT and smooth chroma
/// upsampling, which are Pillow's settings. CMYK and YCCK are taken for inverted, as Adobe writes
/// them and Pillow reads them. Damage that libjpeg can hide is accepted silently; a file that ends
/// early is not. Throws Error naming `name`.
at::Tensor decode_jpeg(std::string_view bytes, const std::string& name);

}  // namespace mobileone
