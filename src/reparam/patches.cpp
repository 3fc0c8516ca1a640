#include "patches.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace mobileone {

at::Tensor pixel_rows(const at::Tensor& image) {
  return image.permute({0, 2, 3, 1}).view({-1, image.size(1)});
}

at::Tensor as_image(const at::Tensor& rows, const at::Tensor& x, const ConvShape& shape) {
  return rows
      .view({x.size(0), shape.output_size(x.size(2)), shape.output_size(x.size(3)), rows.size(1)})
      .permute({0, 3, 1, 2});
}

at::Tensor scatter_patches(const at::Tensor& gradients, const at::Tensor& x,
                           const ConvShape& shape) {
  const int64_t k = shape.kernel, d = shape.dilation, p = shape.padding(), s = shape.stride;
  const auto columns = gradients.view({x.size(0), -1, k * k, x.size(1)})
                           .permute({0, 3, 2, 1})
                           .reshape({x.size(0), x.size(1) * k * k, -1});
  return at::col2im(columns, x.sizes().slice(2), {k, k}, {d, d}, {p, p}, {s, s})
      .contiguous(at::MemoryFormat::ChannelsLast);
}

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

}  // namespace mobileone
