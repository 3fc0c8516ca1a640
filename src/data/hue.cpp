#include "mobileone/data/hue.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace mobileone {
namespace {

/// Hue, saturation and value, each 0 to 255.
using Hsv = std::array<uint8_t, 3>;

// Where a number is a float and where a double decides about pixels: both are as in Pillow's
// Convert.c, which follows Python's colorsys.

Hsv hsv_from_rgb(const uint8_t* rgb) {
  const auto [darkest, brightest] = std::minmax({rgb[0], rgb[1], rgb[2]});
  if (darkest == brightest) return {0, 0, brightest};
  const auto range = static_cast<float>(brightest - darkest);
  const float saturation = range / static_cast<float>(brightest);
  const float red = static_cast<float>(brightest - rgb[0]) / range;
  const float green = static_cast<float>(brightest - rgb[1]) / range;
  const float blue = static_cast<float>(brightest - rgb[2]) / range;
  float sixths;  // -1 to 5
  if (rgb[0] == brightest) {
    sixths = blue - green;
  } else if (rgb[1] == brightest) {
    sixths = static_cast<float>(2.0 + red - blue);
  } else {
    sixths = static_cast<float>(4.0 + green - red);
  }
  const double turns = sixths / 6.0 + 1.0;  // below 2
  const auto hue = static_cast<float>(turns < 1.0 ? turns : turns - 1.0);
  return {static_cast<uint8_t>(hue * 255.0), static_cast<uint8_t>(saturation * 255.0), brightest};
}

void rgb_from_hsv(const Hsv& hsv, uint8_t* rgb) {
  const auto [hue, saturation, value] = hsv;
  const double sixths = static_cast<float>(hue) * 6.0 / 255.0;
  const int sector = static_cast<int>(sixths);
  const auto rest = static_cast<float>(sixths - static_cast<float>(sector));
  const auto strength = static_cast<float>(static_cast<float>(saturation) / 255.0);
  const auto dimmed = [value = value](double share) {
    return static_cast<uint8_t>(static_cast<float>(value) * (1.0 - share) + 0.5);
  };
  const uint8_t low = dimmed(strength);
  const uint8_t falling = dimmed(strength * rest);
  const uint8_t rising = dimmed(strength * (1.0 - rest));
  const std::array<uint8_t, 3> sectors[] = {{value, rising, low}, {falling, value, low},
                                            {low, value, rising}, {low, falling, value},
                                            {rising, low, value}, {value, low, falling}};
  std::copy_n(sectors[sector % 6].begin(), 3, rgb);
}

}  // namespace

at::Tensor turn_hue(const at::Tensor& image, double shift) {
  const auto turn = static_cast<int>(shift * 255);
  at::Tensor result = at::empty_like(image);
  const uint8_t* in = image.const_data_ptr<uint8_t>();
  uint8_t* out = result.mutable_data_ptr<uint8_t>();
  for (const uint8_t* end = in + image.numel(); in != end; in += 3, out += 3) {
    Hsv hsv = hsv_from_rgb(in);
    hsv[0] = static_cast<uint8_t>(hsv[0] + turn);  // the circle has 256 steps
    rgb_from_hsv(hsv, out);
  }
  return result;
}

}  // namespace mobileone
