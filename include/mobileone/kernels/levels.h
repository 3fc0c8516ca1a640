#pragma once

#include <array>
#include <cstdint>

/// Passes over the levels of 8-bit images whose pixels are three channels side by side, with the
/// rounding of Pillow. One thread each; `out` is another image than `in`.
namespace mobileone::kernels {

/// out = in & mask.
void mask_levels(const uint8_t* in, int64_t count, uint8_t mask, uint8_t* out);

/// out = 255 − in where in >= first_inverted (0 to 256), in elsewhere.
void invert_levels(const uint8_t* in, int64_t count, int first_inverted, uint8_t* out);

struct LevelRange {
  uint8_t low = 255;
  uint8_t high = 0;
};

/// The lowest and highest level of each channel; low > high where there are no pixels.
std::array<LevelRange, 3> level_ranges(const uint8_t* in, int64_t pixels);

/// The sum over pixels of ITU-R 601 luma, each rounded to a level.
int64_t sum_of_luma(const uint8_t* in, int64_t pixels);

/// The line from a pixel's luma (factor 0) through the pixel (factor 1), cut to a level.
void blend_with_luma(const uint8_t* in, int64_t pixels, float factor, uint8_t* out);

/// The line from the smoothed image (centre 5, neighbours 1, of 13; factor 0) through the image
/// (factor 1), cut to a level; pixels at the border stay as they are.
void sharpen(const uint8_t* in, int64_t height, int64_t width, float factor, uint8_t* out);

/// out = centre · at + beside · (before + after) of 2^24ths, rounded; centre + 2 · beside is at
/// most 2^24.
void weigh_neighbours(const uint8_t* before, const uint8_t* at, const uint8_t* after, int64_t count,
                      uint32_t centre, uint32_t beside, uint8_t* out);

/// The hue turned by `turn` 256ths of its circle, by way of hue, saturation and value of 8 bits
/// each.
void turn_hue(const uint8_t* in, int64_t pixels, int turn, uint8_t* out);

/// Positions on a line through an image whose pixels' middles are at halves: pixel x of the line
/// lies at (step_x · (x + 0.5) + row_x + x0, step_y · (x + 0.5) + row_y + y0).
struct Line {
  double step_x, row_x, x0;
  double step_y, row_y, y0;
};

/// Writes pixels `begin` to `end` - 1 of a line, interpolated between the four pixels about each of
/// their positions, which lie inside the image `in`, of less than 2^31 levels; its border goes on
/// outside.
void sample_bilinear(const uint8_t* in, int64_t height, int64_t width, const Line& line,
                     int64_t begin, int64_t end, uint8_t* out);

}  // namespace mobileone::kernels
