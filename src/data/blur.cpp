#include "mobileone/data/blur.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "mobileone/kernels/levels.h"

namespace mobileone {
namespace {

constexpr int kPasses = 3;

/// How far beyond its middle pixel a box reaches, below 1 px; a float, as in Pillow's BoxBlur.c.
float box_radius(double radius) {
  const auto deviation = static_cast<float>(radius);
  const float variance = deviation * deviation / kPasses;
  return variance / (2 * (1 - variance));
}

}  // namespace

at::Tensor gaussian_blur(const at::Tensor& image, double radius) {
  TORCH_CHECK(radius >= 0 && radius <= 1, "a radius beyond 1 px");
  const auto whole = static_cast<float>(1 << 24);
  const auto centre = static_cast<uint32_t>(whole / (box_radius(radius) * 2 + 1));
  const uint32_t beside = ((1 << 24) - centre) / 2;
  const int64_t height = image.size(0), width = image.size(1), levels = 3 * width;
  at::Tensor result = at::empty_like(image);
  uint8_t* const out = result.mutable_data_ptr<uint8_t>();

  // Along a row, between a copy of its first pixel and one of its last.
  std::vector<uint8_t> row(levels + 6), next(levels);
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* in = image.const_data_ptr<uint8_t>() + y * levels;
    for (int pass = 0; pass < kPasses; ++pass) {
      std::copy_n(in, 3, row.data());
      std::copy_n(in, levels, row.data() + 3);
      std::copy_n(in + levels - 3, 3, row.data() + 3 + levels);
      uint8_t* to = pass + 1 == kPasses ? out + y * levels : next.data();
      kernels::weigh_neighbours(row.data(), row.data() + 3, row.data() + 6, levels, centre, beside,
                                to);
      in = to;
    }
  }

  // Along the columns: a pass needs the row above as it was before.
  std::vector<uint8_t> above(levels), saved(levels);
  for (int pass = 0; pass < kPasses; ++pass) {
    std::copy_n(out, levels, above.data());
    for (int64_t y = 0; y < height; ++y) {
      uint8_t* at = out + y * levels;
      std::copy_n(at, levels, saved.data());
      kernels::weigh_neighbours(above.data(), saved.data(),
                                y + 1 < height ? at + levels : saved.data(), levels, centre, beside,
                                at);
      std::swap(above, saved);
    }
  }
  return result;
}

}  // namespace mobileone
