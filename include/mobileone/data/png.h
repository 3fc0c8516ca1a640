#pragma once

#include <string>
#include <string_view>

namespace mobileone {

/// Whether `bytes` begin as a PNG file does.
bool is_png(std::string_view bytes);

/// The same PNG with nothing but the chunks that make its pixels (IHDR, PLTE, IDAT, IEND), checked
/// to be whole. A decoder then has no reason to return half a picture, to print a warning about a
/// colour profile, to turn the image, or to apply a transparency. Throws Error naming `name` if the
/// file is truncated, fails a check sum, or declares more than `kMaxImagePixels`.
std::string essential_png(std::string_view bytes, const std::string& name);

}  // namespace mobileone
