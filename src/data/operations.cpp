#include "mobileone/data/operations.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "mobileone/data/affine.h"
#include "mobileone/data/hue.h"
#include "mobileone/kernels/levels.h"

namespace mobileone {
namespace {

using Table = std::array<uint8_t, 256>;
using Histogram = std::array<uint32_t, 256>;

/// A new image of the same size, which `write` fills from (in, out).
template <typename F>
at::Tensor image_from(const at::Tensor& image, F&& write) {
  at::Tensor result = at::empty_like(image);
  write(image.const_data_ptr<uint8_t>(), result.mutable_data_ptr<uint8_t>());
  return result;
}

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
  return image_from(image, [&](const uint8_t* in, uint8_t* out) {
    for (const uint8_t* end = in + image.numel(); in != end; in += 3, out += 3) {
      const uint8_t red = tables[0][in[0]];
      const uint8_t green = tables[1][in[1]];
      const uint8_t blue = tables[2][in[2]];
      out[0] = red;
      out[1] = green;
      out[2] = blue;
    }
  });
}

at::Tensor look_up(const at::Tensor& image, const Table& table) {
  return look_up(image, {table, table, table});
}

/// Neighbours count in tables of their own: equal levels in a row would wait for each other.
std::array<Histogram, 3> histograms(const at::Tensor& image) {
  std::array<Histogram, 3> counts{};
  std::array<Histogram, 3> others{};
  const uint8_t* in = image.const_data_ptr<uint8_t>();
  const uint8_t* end = in + image.numel();
  const auto count = [](std::array<Histogram, 3>& into, const uint8_t* pixel) {
    for (size_t channel = 0; channel < 3; ++channel) ++into[channel][pixel[channel]];
  };
  for (; end - in >= 6; in += 6) {
    count(counts, in);
    count(others, in + 3);
  }
  if (in != end) count(counts, in);
  for (size_t channel = 0; channel < 3; ++channel) {
    for (size_t level = 0; level < 256; ++level) counts[channel][level] += others[channel][level];
  }
  return counts;
}

Table auto_contrast_table(const kernels::LevelRange& range) {
  if (range.high <= range.low) return identity_table();
  const double scale = 255.0 / static_cast<double>(range.high - range.low);
  const double offset = -static_cast<double>(range.low) * scale;
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

/// The line from `from` (factor 0) through `to` (factor 1), cut to a level.
uint8_t blend(int from, int to, float factor) {
  const float value = static_cast<float>(from) + factor * static_cast<float>(to - from);
  return static_cast<uint8_t>(std::clamp(value, 0.0f, 255.0f));
}

at::Tensor scale_levels_from(const at::Tensor& image, int fixed_level, float factor) {
  return look_up(image, tabulate([&](int level) { return blend(fixed_level, level, factor); }));
}

at::Tensor adjust_contrast(const at::Tensor& image, float factor) {
  const int64_t pixels = image.numel() / 3;
  const int64_t sum = kernels::sum_of_luma(image.const_data_ptr<uint8_t>(), pixels);
  const double mean = static_cast<double>(sum) / static_cast<double>(pixels);
  return scale_levels_from(image, static_cast<int>(mean + 0.5), factor);
}

at::Tensor auto_contrast(const at::Tensor& image) {
  const auto ranges = kernels::level_ranges(image.const_data_ptr<uint8_t>(), image.numel() / 3);
  return look_up(image, {auto_contrast_table(ranges[0]), auto_contrast_table(ranges[1]),
                         auto_contrast_table(ranges[2])});
}

at::Tensor equalize(const at::Tensor& image) {
  const auto counts = histograms(image);
  return look_up(image,
                 {equalize_table(counts[0]), equalize_table(counts[1]), equalize_table(counts[2])});
}

}  // namespace

at::Tensor apply_operation(const at::Tensor& image, Operation operation, double magnitude) {
  const auto factor = static_cast<float>(1.0 + magnitude);
  const int64_t height = image.size(0);
  const int64_t width = image.size(1);
  const int64_t levels = image.numel();
  switch (operation) {
    case Operation::kShearX:
      return sample_nearest(image, {1, magnitude, 0, 0, 1, 0});
    case Operation::kShearY:
      return sample_nearest(image, {1, 0, 0, magnitude, 1, 0});
    case Operation::kTranslateX:
      return sample_nearest(image, {1, 0, -std::trunc(magnitude), 0, 1, 0});
    case Operation::kTranslateY:
      return sample_nearest(image, {1, 0, 0, 0, 1, -std::trunc(magnitude)});
    case Operation::kRotate:
      return sample_nearest(image, rotation(magnitude, height, width));
    case Operation::kBrightness:
      return scale_levels_from(image, 0, factor);
    case Operation::kColor:
      return image_from(image, [&](const uint8_t* in, uint8_t* out) {
        kernels::blend_with_luma(in, levels / 3, factor, out);
      });
    case Operation::kContrast:
      return adjust_contrast(image, factor);
    case Operation::kSharpness:
      return image_from(image, [&](const uint8_t* in, uint8_t* out) {
        kernels::sharpen(in, height, width, factor, out);
      });
    case Operation::kPosterize:
      return image_from(image, [&](const uint8_t* in, uint8_t* out) {
        const int mask = ~((1 << (8 - static_cast<int>(magnitude))) - 1);
        kernels::mask_levels(in, levels, static_cast<uint8_t>(mask), out);
      });
    case Operation::kSolarize:
      return image_from(image, [&](const uint8_t* in, uint8_t* out) {
        const double first = std::clamp(std::ceil(magnitude), 0.0, 256.0);
        kernels::invert_levels(in, levels, static_cast<int>(first), out);
      });
    case Operation::kSolarizeAdd:
      return look_up(image, tabulate([added = static_cast<int>(magnitude)](int level) {
                       return level < 128 ? std::min(255, level + added) : level;
                     }));
    case Operation::kAutoContrast:
      return auto_contrast(image);
    case Operation::kEqualize:
      return equalize(image);
    case Operation::kInvert:
      return image_from(image, [&](const uint8_t* in, uint8_t* out) {
        kernels::invert_levels(in, levels, 0, out);
      });
    case Operation::kHue:
      return turn_hue(image, magnitude);
  }
  TORCH_CHECK(false, "unknown operation");
}

at::Tensor apply_operations(const at::Tensor& image, const std::vector<OperationStep>& steps) {
  at::Tensor result = image;
  for (const auto& [operation, magnitude] : steps) {
    result = apply_operation(result, operation, magnitude);
  }
  return result;
}

}  // namespace mobileone
