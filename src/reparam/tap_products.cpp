#include "tap_products.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "mobileone/kernels/matrix.h"
#include "mobileone/util/profile.h"
#include "product.h"
#include "storage.h"

namespace mobileone {
namespace {

using at::Tensor;

/// Pixels that are gathered at once: some hundred rows keep a product busy, and stay in cache.
constexpr int64_t kBlock = 192;

/// Pixels of an image, a step apart, in all images of a batch.
struct Grid {
  int64_t image, row;       ///< pixels of a whole image and of its row
  int64_t top, left, step;  ///< the first, and from one to the next
};

/// The outputs whose tap lies on the image, and the pixels that it lies on there.
struct Overlap {
  int64_t images, height, width;
  Grid input, output;

  int64_t pixels() const { return images * height * width; }
  /// Whether they are all pixels of both.
  bool whole() const { return height * width == input.image && height * width == output.image; }

  /// Calls f(pixel of the grid, step, count) for each row, or what of it is among [begin, end).
  template <typename F>
  void for_rows(const Grid& grid, int64_t begin, int64_t end, const F& f) const {
    while (begin < end) {
      const int64_t x = begin % width, y = begin / width % height, n = begin / width / height,
                    count = std::min(width - x, end - begin);
      f(n * grid.image + (grid.top + y * grid.step) * grid.row + grid.left + x * grid.step,
        grid.step, count);
      begin += count;
    }
  }
};

/// Outputs [first, last) along one dimension, and the input's pixel under the first.
struct Range {
  int64_t first, last, input;
};

Range range_of(int64_t tap, int64_t size, const ConvShape& shape) {
  const int64_t shift = tap * shape.dilation - shape.padding(), stride = shape.stride,
                first = shift >= 0 ? 0 : (-shift + stride - 1) / stride,
                fit = size - 1 - shift < 0 ? 0 : (size - 1 - shift) / stride + 1,
                last = std::max(first, std::min(shape.output_size(size), fit));
  return {first, last, first * stride + shift};
}

Overlap overlap_of(int64_t tap, const Tensor& x, const ConvShape& shape) {
  const int64_t height = x.size(2), width = x.size(3), out_width = shape.output_size(width);
  const Range y = range_of(tap / shape.kernel, height, shape),
              across = range_of(tap % shape.kernel, width, shape);
  return {x.size(0),
          y.last - y.first,
          across.last - across.first,
          {height * width, width, y.input, across.input, shape.stride},
          {shape.output_size(height) * out_width, out_width, y.first, across.first, 1}};
}

/// The taps, the one that covers everything first, if there is one.
std::vector<int64_t> taps_of(const ConvShape& shape) {
  const int64_t taps = shape.kernel * shape.kernel;
  std::vector<int64_t> order{taps / 2};
  for (int64_t tap = 0; tap < taps; ++tap) {
    if (tap != taps / 2) order.push_back(tap);
  }
  return order;
}

/// [Cout,P] → [Cout,Cin].
Tensor of_tap(const Tensor& weight, int64_t tap, const ConvShape& shape) {
  return weight.narrow(1, tap * shape.in_channels, shape.in_channels);
}

/// Copies `count` channels of pixels [begin, end) of the overlap side by side.
template <typename T>
void gather(const Overlap& overlap, const Grid& grid, int64_t begin, int64_t end, const T* image,
            int64_t channels, int64_t count, T* out) {
  overlap.for_rows(grid, begin, end, [&](int64_t pixel, int64_t step, int64_t pixels) {
    const T* in = image + pixel * channels;
    if (step == 1 && count == channels) {
      out = std::copy_n(in, pixels * channels, out);
      return;
    }
    for (int64_t i = 0; i < pixels; ++i) out = std::copy_n(in + i * step * channels, count, out);
  });
}

template <typename T>
void scatter_add(const Overlap& overlap, const Grid& grid, int64_t begin, int64_t end,
                 const T* values, int64_t channels, T* image) {
  overlap.for_rows(grid, begin, end, [&](int64_t pixel, int64_t step, int64_t pixels) {
    for (int64_t i = 0; i < pixels; ++i, values += channels) {
      T* const out = image + (pixel + i * step) * channels;
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c) out[c] += values[c];
    }
  });
}

/// to[pixel] += from[pixel] · b, over the overlap.
template <typename T>
void add_product(const Overlap& overlap, const Grid& source, const Tensor& from,
                 const Grid& destination, const Tensor& b, const Tensor& to) {
  const int64_t k = b.size(0), n = b.size(1);
  const auto packed = pack_right<T>(b);
  at::parallel_for(0, overlap.pixels(), kBlock / 2, [&](int64_t begin, int64_t end) {
    std::vector<T> rows(static_cast<size_t>(kBlock * k)), sums(static_cast<size_t>(kBlock * n));
    for (int64_t block = begin; block < end; block += kBlock) {
      const int64_t last = std::min(block + kBlock, end);
      gather(overlap, source, block, last, data_of<const T>(from), k, k, rows.data());
      const kernels::Factors<T> product{rows.data(), k, k, data_of<const T>(packed)};
      kernels::multiply<T>(last - block, n, {&product, 1}, {}, sums.data(), n);
      scatter_add(overlap, destination, block, last, sums.data(), n, data_of<T>(to));
    }
  });
}

/// The sum over taps of products of `from` with b(tap), as an image like `like` of `channels`.
template <typename GridOf, typename RightOf>
Tensor sum_of_products(const Tensor& x, const Tensor& from, int64_t channels, int64_t height,
                       int64_t width, const ConvShape& shape, const GridOf& grids,
                       const RightOf& b) {
  const Span span("products of taps");
  auto to =
      at::empty({x.size(0), channels, height, width}, x.options(), at::MemoryFormat::ChannelsLast);
  for (const int64_t tap : taps_of(shape)) {
    const Overlap overlap = overlap_of(tap, x, shape);
    const bool first = tap == shape.kernel * shape.kernel / 2;
    if (first && overlap.whole()) {
      multiply_rows({{from.permute({0, 2, 3, 1}).view({-1, from.size(1)}), b(tap)}}, {},
                    to.permute({0, 2, 3, 1}).view({-1, channels}));
      continue;
    }
    if (first) to.zero_();
    const auto& [source, destination] = grids(overlap);
    if (x.scalar_type() == at::kDouble) {
      add_product<double>(overlap, source, from, destination, b(tap), to);
    } else {
      add_product<float>(overlap, source, from, destination, b(tap), to);
    }
  }
  return to;
}

/// ∂L/∂W of one tap into sums [Cout,Cin]: each thread has some of the outputs.
template <typename T>
void outer_product(const Overlap& overlap, const Tensor& x, const Tensor& g, const Tensor& sums) {
  const int64_t in = x.size(1), out = g.size(1);
  constexpr int64_t kPanel = kernels::kPanel<T>;
  at::parallel_for(0, (out + kPanel - 1) / kPanel, 1, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kPanel, count = std::min(end * kPanel, out) - first;
    double* const own = data_of<double>(sums) + first * in;
    const T *xs = data_of<const T>(x), *gs = data_of<const T>(g) + first;
    std::vector<T> pixels(static_cast<size_t>(kBlock * in)),
        gradients(static_cast<size_t>(kBlock * count));
    for (int64_t block = 0; block < overlap.pixels(); block += kBlock) {
      const int64_t last = std::min(block + kBlock, overlap.pixels());
      kernels::Columns<T> left{gradients.data(), count, count}, right{pixels.data(), in, in};
      if (overlap.whole()) {
        left = {gs + block * out, count, out};
        right.data = xs + block * in;
      } else {
        gather(overlap, overlap.output, block, last, gs, out, count, gradients.data());
        gather(overlap, overlap.input, block, last, xs, in, in, pixels.data());
      }
      kernels::outer_product(last - block, left, right, kernels::Part::kAll, own, in);
    }
  });
}

}  // namespace

bool has_tap_products(const ConvShape& shape) {
  constexpr int64_t kChannels = 16;
  return !shape.depthwise() && !shape.pointwise() && shape.in_channels >= kChannels;
}

Tensor tap_forward(const Tensor& x, const Tensor& weight, const ConvShape& shape) {
  return sum_of_products(
      x, x, shape.out_channels, shape.output_size(x.size(2)), shape.output_size(x.size(3)), shape,
      [](const Overlap& overlap) { return std::pair(overlap.input, overlap.output); },
      [&](int64_t tap) { return of_tap(weight, tap, shape).t(); });
}

Tensor tap_input(const Tensor& x, const Tensor& g, const Tensor& weight, const ConvShape& shape) {
  return sum_of_products(
      x, g, shape.in_channels, x.size(2), x.size(3), shape,
      [](const Overlap& overlap) { return std::pair(overlap.output, overlap.input); },
      [&](int64_t tap) { return of_tap(weight, tap, shape); });
}

Tensor tap_weight(const Tensor& x, const Tensor& g, const ConvShape& shape) {
  const Span span("weight products of taps");
  auto weight = at::empty({shape.out_channels, shape.patch_size()}, x.options());
  auto sums = at::empty({shape.out_channels, shape.in_channels}, at::kDouble);
  for (const int64_t tap : taps_of(shape)) {
    sums.zero_();
    const Overlap overlap = overlap_of(tap, x, shape);
    if (x.scalar_type() == at::kDouble) {
      outer_product<double>(overlap, x, g, sums);
    } else {
      outer_product<float>(overlap, x, g, sums);
    }
    of_tap(weight, tap, shape).copy_(sums);
  }
  return weight;
}

}  // namespace mobileone
