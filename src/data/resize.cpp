#include "mobileone/data/resize.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace mobileone {
namespace {

/// Weights are integers of this many fractional bits, and so are sums of weighted levels: with
/// them, the levels come out as Pillow's.
constexpr int kFractionBits = 22;
constexpr int32_t kHalf = 1 << (kFractionBits - 1);

struct Filter {
  double reach;  ///< the weight is zero from this distance on, in pixels of the smaller image
  double (*weight)(double distance);
};

double bilinear_weight(double distance) { return std::max(0.0, 1.0 - distance); }

/// Keys 1981, with a = -1/2.
double bicubic_weight(double distance) {
  constexpr double a = -0.5;
  if (distance < 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
  if (distance < 2) return (((distance - 5) * distance + 8) * distance - 4) * a;
  return 0;
}

Filter filter_of(Interpolation interpolation) {
  switch (interpolation) {
    case Interpolation::kBilinear:
      return {1, bilinear_weight};
    case Interpolation::kBicubic:
      return {2, bicubic_weight};
  }
  TORCH_CHECK(false, "unknown interpolation");
}

/// The input pixels along one axis that an output pixel is made of, and their weights.
struct Taps {
  int64_t first;
  std::vector<int32_t> weights;
};

/// For each of `to` output pixels along an axis of `from` input pixels.
std::vector<Taps> taps_along(int64_t from, int64_t to, const Filter& filter) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double blur = std::max(scale, 1.0);
  const double reach = filter.reach * blur;
  std::vector<Taps> result(to);
  std::vector<double> exact;
  for (int64_t i = 0; i < to; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const int64_t begin = std::max<int64_t>(0, static_cast<int64_t>(center - reach + 0.5));
    const int64_t end = std::min(from, static_cast<int64_t>(center + reach + 0.5));
    exact.clear();
    double sum = 0;
    for (int64_t pixel = begin; pixel < end; ++pixel) {
      const double distance = (static_cast<double>(pixel) - center + 0.5) * (1.0 / blur);
      exact.push_back(filter.weight(std::abs(distance)));
      sum += exact.back();
    }
    result[i].first = begin;
    for (double weight : exact) {
      result[i].weights.push_back(
          static_cast<int32_t>(std::round(weight / sum * (1 << kFractionBits))));
    }
  }
  return result;
}

uint8_t level(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

/// `image` has pixels that lie side by side in each row.
at::Tensor resize_rows(const at::Tensor& image, int64_t width, const Filter& filter) {
  const std::vector<Taps> columns = taps_along(image.size(1), width, filter);
  at::Tensor result = at::empty({image.size(0), width, 3}, at::kByte);
  uint8_t* out = result.mutable_data_ptr<uint8_t>();
  for (int64_t y = 0; y < image.size(0); ++y) {
    const uint8_t* row = image.const_data_ptr<uint8_t>() + y * image.stride(0);
    for (const auto& [first, weights] : columns) {
      int32_t red = kHalf;
      int32_t green = kHalf;
      int32_t blue = kHalf;
      const uint8_t* in = row + 3 * first;
      for (int32_t weight : weights) {
        red += weight * in[0];
        green += weight * in[1];
        blue += weight * in[2];
        in += 3;
      }
      *out++ = level(red);
      *out++ = level(green);
      *out++ = level(blue);
    }
  }
  return result;
}

/// As `resize_rows`.
at::Tensor resize_columns(const at::Tensor& image, int64_t height, const Filter& filter) {
  const int64_t levels = 3 * image.size(1);
  at::Tensor result = at::empty({height, image.size(1), 3}, at::kByte);
  uint8_t* out = result.mutable_data_ptr<uint8_t>();
  std::vector<int32_t> sums(levels);
  for (const auto& [first, weights] : taps_along(image.size(0), height, filter)) {
    std::fill(sums.begin(), sums.end(), kHalf);
    const uint8_t* in = image.const_data_ptr<uint8_t>() + first * image.stride(0);
    for (int32_t weight : weights) {
      for (int64_t i = 0; i < levels; ++i) sums[i] += weight * in[i];
      in += image.stride(0);
    }
    out = std::transform(sums.begin(), sums.end(), out, level);
  }
  return result;
}

}  // namespace

at::Tensor resize(const at::Tensor& image, int64_t height, int64_t width,
                  Interpolation interpolation) {
  const Filter filter = filter_of(interpolation);
  const bool rows_are_dense = image.stride(1) == 3 && image.stride(2) == 1;
  at::Tensor result = rows_are_dense ? image : image.contiguous();
  // Each pass rounds its levels, so their order matters; this is the one of Pillow since 13.0.
  const int64_t fewer_rows = image.size(0) - height;
  const bool columns_first = fewer_rows > std::max<int64_t>(0, 2 * (image.size(1) - width));
  if (columns_first) result = resize_columns(result, height, filter);
  if (width != image.size(1)) result = resize_rows(result, width, filter);
  if (height != result.size(0)) result = resize_columns(result, height, filter);
  return result.contiguous();
}

}  // namespace mobileone
