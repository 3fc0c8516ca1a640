#include "moment_factors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace mobileone {

ChannelSample sample_channels(const at::Tensor& rows) {
  constexpr int64_t kPixels = 128;
  const int64_t step = std::max<int64_t>(1, rows.size(0) / kPixels), channels = rows.size(1);
  const auto sample = rows.slice(0, 0, rows.size(0), step).to(at::kDouble).contiguous();
  ChannelSample result{at::zeros({channels}, at::kDouble), at::zeros({channels}, at::kDouble)};
  auto* mean = result.mean.data_ptr<double>();
  auto* square = result.deviation.data_ptr<double>();
  const auto* x = sample.const_data_ptr<double>();
  for (int64_t r = 0; r < sample.size(0); ++r, x += channels) {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
      mean[c] += x[c];
      square[c] += x[c] * x[c];
    }
  }
  const double n = static_cast<double>(sample.size(0));
  for (int64_t c = 0; c < channels; ++c) {
    mean[c] /= n;
    square[c] = std::sqrt(std::max(0.0, square[c] / n - mean[c] * mean[c]));
  }
  return result;
}

at::Tensor pixel_rows(const at::Tensor& image) {
  return image.permute({0, 2, 3, 1}).view({-1, image.size(1)});
}

}  // namespace mobileone
