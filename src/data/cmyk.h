#pragma once

#include <cstdint>

namespace mobileone {

/// Pillow's conversion of a pixel: the light that black leaves, less the share of it that each ink
/// takes, rounded. `inks` are cyan, magenta and yellow, `light` is 255 less black.
inline void rgb_from_cmyk(const uint8_t* inks, int light, uint8_t* rgb) {
  for (int channel = 0; channel < 3; ++channel) {
    const int product = inks[channel] * light + 128;
    rgb[channel] = static_cast<uint8_t>(light - (((product >> 8) + product) >> 8));
  }
}

}  // namespace mobileone
