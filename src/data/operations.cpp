#include "mobileone/data/operations.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "mobileone/data/hue.h"

namespace mobileone {
namespace {

using Table = std::array<uint8_t, 256>;
using Histogram = std::array<int64_t, 256>;

/// The same function of the level for every channel.
template <typename F>
Table tabulate(F&& level_to_level) {
  Table table;
  for (int level = 0; level < 256; ++level) {
    table[level] = static_cast<uint8_t>(level_to_level(level));
  }
  return table;
}

Table identity_table() {
  return tabulate([](int level) { return level; });
}

at::Tensor look_up(const at::Tensor& image, const std::array<Table, 3>& tables) {
  at::Tensor result = at::empty_like(image);
  const uint8_t* in = image.const_data_ptr<uint8_t>();
  uint8_t* out = result.mutable_data_ptr<uint8_t>();
  for (const uint8_t* end = in + image.numel(); in != end; in += 3, out += 3) {
    for (size_t channel = 0; channel < 3; ++channel) out[channel] = tables[channel][in[channel]];
  }
  return result;
}

at::Tensor look_up(const at::Tensor& image, const Table& table) {
  return look_up(image, {table, table, table});
}

std::array<Histogram, 3> histograms(const at::Tensor& image) {
  std::array<Histogram, 3> counts{};
  const uint8_t* in = image.const_data_ptr<uint8_t>();
  for (const uint8_t* end = in + image.numel(); in != end; in += 3) {
    for (size_t channel = 0; channel < 3; ++channel) ++counts[channel][in[channel]];
  }
  return counts;
}

template <typename F>
at::Tensor look_up_by_histogram(const at::Tensor& image, F&& histogram_to_table) {
  const auto counts = histograms(image);
  return look_up(image, {histogram_to_table(counts[0]), histogram_to_table(counts[1]),
                         histogram_to_table(counts[2])});
}

Table auto_contrast_table(const Histogram& counts) {
  const auto present = [](int64_t count) { return count > 0; };
  const auto low = std::find_if(counts.begin(), counts.end(), present) - counts.begin();
  const auto high = 255 - (std::find_if(counts.rbegin(), counts.rend(), present) - counts.rbegin());
  if (high <= low) return identity_table();
  const double scale = 255.0 / static_cast<double>(high - low);
  const double offset = -static_cast<double>(low) * scale;
  return tabulate(
      [&](int level) { return std::clamp(static_cast<int>(level * scale + offset), 0, 255); });
}

Table equalize_table(const Histogram& counts) {
  int64_t pixels = 0;
  int64_t last_present = 0;
  for (int64_t count : counts) {
    pixels += count;
    if (count > 0) last_present = count;
  }
  const int64_t step = (pixels - last_present) / 255;
  if (step == 0) return identity_table();
  int64_t sum = step / 2;
  return tabulate([&](int level) {
    const int64_t equalized = std::min<int64_t>(sum / step, 255);
    sum += counts[level];
    return equalized;
  });
}

/// ITU-R 601 luma, in Pillow's fixed point.
uint8_t luma(const uint8_t* pixel) {
  return static_cast<uint8_t>((pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 0x8000) >>
                              16);
}

/// The line from `from` (factor 0) through `to` (factor 1), cut to a level.
uint8_t blend(int from, int to, float factor) {
  const float value = static_cast<float>(from) + factor * static_cast<float>(to - from);
  return static_cast<uint8_t>(std::clamp(value, 0.0f, 255.0f));
}

at::Tensor scale_levels_from(const at::Tensor& image, int fixed_level, float factor) {
  return look_up(image, tabulate([&](int level) { return blend(fixed_level, level, factor); }));
}

at::Tensor adjust_color(const at::Tensor& image, float factor) {
  at::Tensor result = at::empty_like(image);
  const uint8_t* in = image.const_data_ptr<uint8_t>();
  uint8_t* out = result.mutable_data_ptr<uint8_t>();
  for (const uint8_t* end = in + image.numel(); in != end; in += 3, out += 3) {
    const uint8_t grey = luma(in);
    for (int channel = 0; channel < 3; ++channel) out[channel] = blend(grey, in[channel], factor);
  }
  return result;
}

at::Tensor adjust_contrast(const at::Tensor& image, float factor) {
  int64_t sum = 0;
  const uint8_t* in = image.const_data_ptr<uint8_t>();
  for (const uint8_t* end = in + image.numel(); in != end; in += 3) sum += luma(in);
  const double mean = static_cast<double>(sum) / static_cast<double>(image.numel() / 3);
  return scale_levels_from(image, static_cast<int>(mean + 0.5), factor);
}

/// Blends with Pillow's SMOOTH filter (centre 5, neighbours 1, of 13), which leaves the border as
/// it is.
at::Tensor adjust_sharpness(const at::Tensor& image, float factor) {
  at::Tensor result = image.clone();
  const int64_t height = image.size(0);
  const int64_t stride = 3 * image.size(1);
  const uint8_t* in = image.const_data_ptr<uint8_t>();
  uint8_t* out = result.mutable_data_ptr<uint8_t>();
  for (int64_t y = 1; y < height - 1; ++y) {
    for (int64_t i = y * stride + 3; i < (y + 1) * stride - 3; ++i) {
      int sum = 4 * in[i];
      for (int64_t row : {i - stride, i, i + stride}) sum += in[row - 3] + in[row] + in[row + 3];
      const int smooth = (2 * sum + 13) / 26;
      out[i] = blend(smooth, in[i], factor);
    }
  }
  return result;
}

/// Nearest-neighbour sampling at x' = m0 x + m1 y + m2, y' = m3 x + m4 y + m5 of pixel centres, in
/// Pillow's 16.16 fixed point.
at::Tensor sample_affine(const at::Tensor& image, const std::array<double, 6>& matrix) {
  const auto fixed = [](double value) {
    return static_cast<int64_t>(std::floor(value * 65536.0 + 0.5));
  };
  const int64_t height = image.size(0);
  const int64_t width = image.size(1);
  at::Tensor result = at::zeros_like(image);
  const uint8_t* in = image.const_data_ptr<uint8_t>();
  uint8_t* out = result.mutable_data_ptr<uint8_t>();
  int64_t row_x = fixed(matrix[2] + matrix[0] * 0.5 + matrix[1] * 0.5);
  int64_t row_y = fixed(matrix[5] + matrix[3] * 0.5 + matrix[4] * 0.5);
  for (int64_t y = 0; y < height; ++y) {
    int64_t fixed_x = row_x;
    int64_t fixed_y = row_y;
    for (int64_t x = 0; x < width; ++x, out += 3) {
      const int64_t from_x = fixed_x >> 16;
      const int64_t from_y = fixed_y >> 16;
      if (from_x >= 0 && from_x < width && from_y >= 0 && from_y < height) {
        std::copy_n(in + 3 * (from_y * width + from_x), 3, out);
      }
      fixed_x += fixed(matrix[0]);
      fixed_y += fixed(matrix[3]);
    }
    row_x += fixed(matrix[1]);
    row_y += fixed(matrix[4]);
  }
  return result;
}

at::Tensor rotate(const at::Tensor& image, double degrees) {
  const auto round15 = [](double value) { return std::nearbyint(value * 1e15) / 1e15; };
  const double angle = -degrees * std::numbers::pi / 180;
  const double cosine = round15(std::cos(angle));
  const double sine = round15(std::sin(angle));
  const double x = static_cast<double>(image.size(1)) / 2;
  const double y = static_cast<double>(image.size(0)) / 2;
  return sample_affine(image, {cosine, sine, cosine * -x + sine * -y + x,  //
                               -sine, cosine, -sine * -x + cosine * -y + y});
}

}  // namespace

at::Tensor apply_operation(const at::Tensor& image, Operation operation, double magnitude) {
  const auto factor = static_cast<float>(1.0 + magnitude);
  switch (operation) {
    case Operation::kShearX:
      return sample_affine(image, {1, magnitude, 0, 0, 1, 0});
    case Operation::kShearY:
      return sample_affine(image, {1, 0, 0, magnitude, 1, 0});
    case Operation::kTranslateX:
      return sample_affine(image, {1, 0, -std::trunc(magnitude), 0, 1, 0});
    case Operation::kTranslateY:
      return sample_affine(image, {1, 0, 0, 0, 1, -std::trunc(magnitude)});
    case Operation::kRotate:
      return rotate(image, magnitude);
    case Operation::kBrightness:
      return scale_levels_from(image, 0, factor);
    case Operation::kColor:
      return adjust_color(image, factor);
    case Operation::kContrast:
      return adjust_contrast(image, factor);
    case Operation::kSharpness:
      return adjust_sharpness(image, factor);
    case Operation::kPosterize: {
      const int mask = ~((1 << (8 - static_cast<int>(magnitude))) - 1);
      return look_up(image, tabulate([=](int level) { return level & mask; }));
    }
    case Operation::kSolarize:
      return look_up(image,
                     tabulate([=](int level) { return level < magnitude ? level : 255 - level; }));
    case Operation::kAutoContrast:
      return look_up_by_histogram(image, auto_contrast_table);
    case Operation::kEqualize:
      return look_up_by_histogram(image, equalize_table);
    case Operation::kInvert:
      return look_up(image, tabulate([](int level) { return 255 - level; }));
    case Operation::kHue:
      return turn_hue(image, magnitude);
  }
  TORCH_CHECK(false, "unknown operation");
}

}  // namespace mobileone
