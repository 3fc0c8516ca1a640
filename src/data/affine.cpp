#include "mobileone/data/affine.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "mobileone/kernels/levels.h"

namespace mobileone {
namespace {

constexpr int kFixedBits = 16;

/// Positions x of an output row, [begin, end), for which start + x · step lies in [0, limit) of
/// fixed-point pixels.
struct Stretch {
  int64_t begin;
  int64_t end;
};

int64_t floor_of_quotient(int64_t a, int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

Stretch inside(int64_t start, int64_t step, int64_t limit, int64_t count) {
  const int64_t last = (limit << kFixedBits) - 1;
  if (step == 0) return {0, start >= 0 && start <= last ? count : 0};
  const int64_t near = step > 0 ? 0 : last;
  const int64_t far = step > 0 ? last : 0;
  const int64_t begin = -floor_of_quotient(start - near, step);
  const int64_t end = floor_of_quotient(far - start, step) + 1;
  return {std::clamp<int64_t>(begin, 0, count), std::clamp<int64_t>(end, 0, count)};
}

/// In Pillow's 16.16 fixed point.
template <int64_t kChannels>
void sample_rows(const uint8_t* in, int64_t height, int64_t width, const AffineMap& map,
                 uint8_t fill, uint8_t* out) {
  const auto fixed = [](double value) {
    return static_cast<int64_t>(std::floor(value * 65536.0 + 0.5));
  };
  const int64_t step_x = fixed(map[0]);
  const int64_t step_y = fixed(map[3]);
  int64_t row_x = fixed(map[2] + map[0] * 0.5 + map[1] * 0.5);
  int64_t row_y = fixed(map[5] + map[3] * 0.5 + map[4] * 0.5);
  for (int64_t y = 0; y < height; ++y, out += kChannels * width) {
    const Stretch in_width = inside(row_x, step_x, width, width);
    const Stretch in_height = inside(row_y, step_y, height, width);
    const int64_t begin = std::max(in_width.begin, in_height.begin);
    const int64_t end = std::max(begin, std::min(in_width.end, in_height.end));
    std::fill(out, out + kChannels * begin, fill);
    std::fill(out + kChannels * end, out + kChannels * width, fill);
    const auto pixel_at = [&](int64_t x) {
      return in + kChannels * (((row_y + x * step_y) >> kFixedBits) * width +
                               ((row_x + x * step_x) >> kFixedBits));
    };
    if (step_x == 1 << kFixedBits && step_y == 0) {
      if (begin < end) {
        std::copy_n(pixel_at(begin), kChannels * (end - begin), out + kChannels * begin);
      }
    } else {
      for (int64_t x = begin; x < end; ++x) {
        std::copy_n(pixel_at(x), kChannels, out + kChannels * x);
      }
    }
    row_x += fixed(map[1]);
    row_y += fixed(map[4]);
  }
}

}  // namespace

AffineMap rotation(double degrees, int64_t height, int64_t width) {
  const auto round15 = [](double value) { return std::nearbyint(value * 1e15) / 1e15; };
  const double angle = -degrees * std::numbers::pi / 180;
  const double cosine = round15(std::cos(angle));
  const double sine = round15(std::sin(angle));
  const double x = static_cast<double>(width) / 2;
  const double y = static_cast<double>(height) / 2;
  return {cosine, sine,   cosine * -x + sine * -y + x,  //
          -sine,  cosine, -sine * -x + cosine * -y + y};
}

at::Tensor sample_nearest(const at::Tensor& image, const AffineMap& map, uint8_t fill) {
  at::Tensor result = at::empty_like(image);
  const auto* in = image.const_data_ptr<uint8_t>();
  auto* out = result.mutable_data_ptr<uint8_t>();
  const auto sample = image.dim() == 3 ? sample_rows<3> : sample_rows<1>;
  sample(in, image.size(0), image.size(1), map, fill, out);
  return result;
}

at::Tensor sample_bilinear(const at::Tensor& image, const AffineMap& map) {
  const int64_t height = image.size(0), width = image.size(1);
  at::Tensor result = at::empty_like(image);
  auto* out = result.mutable_data_ptr<uint8_t>();
  for (int64_t row = 0; row < height; ++row, out += 3 * width) {
    const double y = static_cast<double>(row) + 0.5;
    const kernels::Line line{map[0], map[1] * y, map[2], map[3], map[4] * y, map[5]};
    const auto is_inside = [&](int64_t column) {
      const double x = static_cast<double>(column) + 0.5;
      const double from_x = line.step_x * x + line.row_x + line.x0;
      const double from_y = line.step_y * x + line.row_y + line.y0;
      return from_x >= 0 && from_x < static_cast<double>(width) &&  //
             from_y >= 0 && from_y < static_cast<double>(height);
    };
    // What lies inside is one stretch.
    int64_t begin = 0, end = width;
    while (begin < end && !is_inside(begin)) ++begin;
    while (end > begin && !is_inside(end - 1)) --end;
    std::fill(out, out + 3 * begin, 0);
    std::fill(out + 3 * end, out + 3 * width, 0);
    kernels::sample_bilinear(image.const_data_ptr<uint8_t>(), height, width, line, begin, end,
                             out + 3 * begin);
  }
  return result;
}

}  // namespace mobileone
