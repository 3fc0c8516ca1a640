#pragma once

#include <cstring>

#include "depthwise_by_offset.h"
#include "mobileone/kernels/depthwise.h"

/// What one thread of a CUDA device does in the depthwise kernels: one channel of some rows.
/// Neighbouring threads take neighbouring channels, which lie side by side in memory. Plain C++, so
/// that tests can run every thread on a CPU. Kernels are 3×3 at any stride and dilation.
namespace mobileone::kernels::cuda {

inline constexpr int kTaps = 9;
#ifdef __CUDACC__
#define MOBILEONE_UNROLL _Pragma("unroll")
#else
#define MOBILEONE_UNROLL _Pragma("GCC unroll 32")
#endif

/// Rows of sums in `moments_of_strip`: as Depthwise::moment_rows().
inline constexpr int kMomentRows = kTaps + kTaps * (kTaps + 1) / 2;

/// Rows of output over which a thread sums, so that few sums go to memory and those in float stay
/// short.
MOBILEONE_HOST_DEVICE inline int64_t rows_of_strip(const Depthwise& shape) {
  constexpr int64_t kPositions = 128;
  const int64_t rows = kPositions / shape.out_width();
  return rows > 0 ? rows : 1;
}
/// Strips of a batch; a strip may go from one image into the next.
MOBILEONE_HOST_DEVICE inline int64_t strips(const Depthwise& shape) {
  const int64_t rows = rows_of_strip(shape);
  return (shape.images * shape.out_height() + rows - 1) / rows;
}

MOBILEONE_HOST_DEVICE inline float load(const float* p) { return *p; }
MOBILEONE_HOST_DEVICE inline double load(const double* p) { return *p; }
MOBILEONE_HOST_DEVICE inline float load(const bfloat16* p) {
  const uint32_t bits = static_cast<uint32_t>(p->bits) << 16;
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}
MOBILEONE_HOST_DEVICE inline void store(float value, float* p) { *p = value; }
MOBILEONE_HOST_DEVICE inline void store(double value, double* p) { *p = value; }
/// Rounds to the nearest, ties to even; a NaN stays one.
MOBILEONE_HOST_DEVICE inline void store(float value, bfloat16* p) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  const uint32_t rounded = bits + 0x7FFF + (bits >> 16 & 1);
  p->bits = static_cast<uint16_t>((value != value ? bits | 0x00400000 : rounded) >> 16);
}

/// One channel of the images of a batch, [images, height, width], with zero padding.
template <typename S>
struct Plane {
  using T = Compute<S>;
  const S* data;  ///< the channel of the first image
  int64_t height, width, channels;

  MOBILEONE_HOST_DEVICE T at(int64_t image, int64_t y, int64_t x) const {
    if (y < 0 || y >= height || x < 0 || x >= width) return T(0);
    return load(data + ((image * height + y) * width + x) * channels);
  }
};

template <typename S>
MOBILEONE_HOST_DEVICE Plane<S> input_plane(const Depthwise& shape, int64_t channel, const S* x) {
  return {x + channel, shape.height, shape.width, shape.channels};
}
template <typename S>
MOBILEONE_HOST_DEVICE Plane<S> output_plane(const Depthwise& shape, int64_t channel, const S* y) {
  return {y + channel, shape.out_height(), shape.out_width(), shape.channels};
}

/// Calls f(position, patch) for the output positions of rows [begin, end) of a batch, in order;
/// `position` counts them over the batch, `patch` holds the kTaps pixels less `shift`.
template <typename S, typename F>
MOBILEONE_HOST_DEVICE void for_patches(const Depthwise& shape, int64_t begin, int64_t end,
                                       const Plane<S>& x, Compute<S> shift, const F& f) {
  const bool sliding = shape.stride == 1 && shape.dilation == 1;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t image = row / shape.out_height(),
                  top = row % shape.out_height() * shape.stride - shape.padding();
    Compute<S> patch[kTaps] = {};
    for (int64_t column = 0; column < shape.out_width(); ++column) {
      const int64_t left = column * shape.stride - shape.padding();
      MOBILEONE_UNROLL
      for (int i = 0; i < 3; ++i) {
        const int64_t y = top + i * shape.dilation;
        if (sliding && column > 0) {
          patch[3 * i] = patch[3 * i + 1];
          patch[3 * i + 1] = patch[3 * i + 2];
        } else {
          patch[3 * i] = x.at(image, y, left) - shift;
          patch[3 * i + 1] = x.at(image, y, left + shape.dilation) - shift;
        }
        patch[3 * i + 2] = x.at(image, y, left + 2 * shape.dilation) - shift;
      }
      f(row * shape.out_width() + column, patch);
    }
  }
}

/// The rows of strip `strip`: [begin, end).
struct Rows {
  int64_t begin, end;
};
MOBILEONE_HOST_DEVICE inline Rows strip_rows(const Depthwise& shape, int64_t strip) {
  const int64_t rows = rows_of_strip(shape), all = shape.images * shape.out_height(),
                begin = strip * rows;
  return {begin, begin + rows < all ? begin + rows : all};
}

/// partial [strips, kMomentRows, channels]: as kernels::moments with no block fast, of one strip.
template <typename S>
MOBILEONE_HOST_DEVICE void moments_of_strip(const Depthwise& shape, int64_t strip, int64_t channel,
                                            const S* x, const Compute<S>* shift,
                                            Compute<S>* partial) {
  using T = Compute<S>;
  T sums[kMomentRows] = {};
  const Rows rows = strip_rows(shape, strip);
  for_patches(shape, rows.begin, rows.end, input_plane(shape, channel, x), shift[channel],
              [&](int64_t, const T* patch) {
                int product = kTaps;
                MOBILEONE_UNROLL
                for (int i = 0; i < kTaps; ++i) {
                  sums[i] += patch[i];
                  MOBILEONE_UNROLL
                  for (int j = i; j < kTaps; ++j) sums[product++] += patch[i] * patch[j];
                }
              });
  T* out = partial + strip * kMomentRows * shape.channels + channel;
  for (int i = 0; i < kMomentRows; ++i) out[i * shape.channels] = sums[i];
}

/// As kernels::convolve, of one strip.
template <typename S>
MOBILEONE_HOST_DEVICE void convolve_strip(const Depthwise& shape, int64_t strip, int64_t channel,
                                          const S* x, const Compute<S>* weight,
                                          const Compute<S>* bias, bool relu, S* y) {
  using T = Compute<S>;
  T w[kTaps];
  MOBILEONE_UNROLL
  for (int i = 0; i < kTaps; ++i) w[i] = weight[i * shape.channels + channel];
  const Rows rows = strip_rows(shape, strip);
  for_patches(shape, rows.begin, rows.end, input_plane(shape, channel, x), T(0),
              [&](int64_t position, const T* patch) {
                T sum = bias[channel];
                MOBILEONE_UNROLL
                for (int i = 0; i < kTaps; ++i) sum += w[i] * patch[i];
                store(relu && sum < 0 ? T(0) : sum, y + position * shape.channels + channel);
              });
}

/// partial [strips, kTaps + 1, channels]: as kernels::backward_weight, of one strip.
template <typename S>
MOBILEONE_HOST_DEVICE void backward_weight_of_strip(const Depthwise& shape, int64_t strip,
                                                    int64_t channel, const S* x, const S* y, S* g,
                                                    Compute<S>* partial) {
  using T = Compute<S>;
  T sums[kTaps + 1] = {};
  const Rows rows = strip_rows(shape, strip);
  for_patches(shape, rows.begin, rows.end, input_plane(shape, channel, x), T(0),
              [&](int64_t position, const T* patch) {
                const int64_t at = position * shape.channels + channel;
                T gradient = load(g + at);
                if (y != nullptr && load(y + at) <= 0) {
                  gradient = T(0);
                  store(gradient, g + at);
                }
                MOBILEONE_UNROLL
                for (int i = 0; i < kTaps; ++i) sums[i] += gradient * patch[i];
                sums[kTaps] += gradient;
              });
  T* out = partial + strip * (kTaps + 1) * shape.channels + channel;
  for (int i = 0; i <= kTaps; ++i) out[i * shape.channels] = sums[i];
}

/// As kernels::backward_input by `by_offset` (3×3, stride 1, no dilation), of one row of one image;
/// `row` counts them over the batch.
template <typename S>
MOBILEONE_HOST_DEVICE void backward_input_of_row_by_offset(
    const Depthwise& shape, int64_t row, int64_t channel, const S* x, const S* g,
    const InputGradient<Compute<S>>& gradient, S* dx) {
  using T = Compute<S>;
  const int64_t image = row / shape.height, y = row % shape.height;
  const Plane<S> pixels = input_plane(shape, channel, x),
                 gradients = output_plane(shape, channel, g);
  T weight[kTaps];
  MOBILEONE_UNROLL
  for (int i = 0; i < kTaps; ++i) weight[i] = gradient.weight[i * shape.channels + channel];
  const int row_mask = tap_mask(y, shape.out_height(), 1);
  const auto factors_of = [&](int64_t column) {
    const int column_mask = tap_mask(column, shape.out_width(), 1);
    return gradient.by_offset + factors_at(channel, kind_of_pixel(row_mask, column_mask));
  };
  // Of this row's pixels that lie on neither of its ends.
  constexpr int64_t kBlock = Depthwise::kBlock, kFactors = Depthwise::kOffsetFactors;
  T inner[kFactors];
  const T* inner_factors = factors_of(shape.width > 2 ? 1 : 0);
  for (int i = 0; i < kFactors; ++i) inner[i] = inner_factors[i * kBlock];
  T window[5][5] = {}, turned[3][3] = {};
  for (int64_t column = 0; column < shape.width; ++column) {
    MOBILEONE_UNROLL
    for (int i = 0; i < 5; ++i) {
      MOBILEONE_UNROLL
      for (int j = 0; j < 4; ++j) {
        window[i][j] = column > 0 ? window[i][j + 1] : pixels.at(image, y + i - 2, j - 2);
      }
      window[i][4] = pixels.at(image, y + i - 2, column + 2);
    }
    MOBILEONE_UNROLL
    for (int i = 0; i < 3; ++i) {
      MOBILEONE_UNROLL
      for (int j = 0; j < 2; ++j) {
        turned[i][j] = column > 0 ? turned[i][j + 1] : gradients.at(image, y + i - 1, j - 1);
      }
      turned[i][2] = gradients.at(image, y + i - 1, column + 1);
    }
    T sum = 0;
    if (column > 0 && column + 1 < shape.width) {
      sum = inner[25];
      MOBILEONE_UNROLL
      for (int i = 0; i < 25; ++i) sum += inner[i] * window[i / 5][i % 5];
    } else {
      const T* factors = factors_of(column);
      sum = factors[25 * kBlock];
      MOBILEONE_UNROLL
      for (int i = 0; i < 25; ++i) sum += factors[i * kBlock] * window[i / 5][i % 5];
    }
    MOBILEONE_UNROLL
    for (int i = 0; i < kTaps; ++i) sum += weight[kTaps - 1 - i] * turned[i / 3][i % 3];
    store(sum, dx + (row * shape.width + column) * shape.channels + channel);
  }
}

/// As kernels::backward_input at any stride and dilation, of one row of one image.
template <typename S>
MOBILEONE_HOST_DEVICE void backward_input_of_row(const Depthwise& shape, int64_t row,
                                                 int64_t channel, const S* x, const S* g,
                                                 const InputGradient<Compute<S>>& gradient, S* dx) {
  using T = Compute<S>;
  const int64_t image = row / shape.height, y = row % shape.height;
  const Plane<S> pixels = input_plane(shape, channel, x),
                 gradients = output_plane(shape, channel, g);
  const auto of_channel = [&](const T* values, int64_t i) {
    return values[i * shape.channels + channel];
  };
  for (int64_t column = 0; column < shape.width; ++column) {
    T sum = 0;
    for (int64_t i = 0; i < kTaps; ++i) {
      // The patch of which the pixel is tap i, if there is one.
      const int64_t top = y - i / 3 * shape.dilation, left = column - i % 3 * shape.dilation,
                    from_top = top + shape.padding(), from_left = left + shape.padding();
      if (from_top < 0 || from_left < 0 || from_top % shape.stride != 0 ||
          from_left % shape.stride != 0 || from_top / shape.stride >= shape.out_height() ||
          from_left / shape.stride >= shape.out_width()) {
        continue;
      }
      sum += of_channel(gradient.e, i) +
             of_channel(gradient.weight, i) *
                 gradients.at(image, from_top / shape.stride, from_left / shape.stride);
      for (int64_t j = 0; j < kTaps; ++j) {
        sum += of_channel(gradient.d, i * kTaps + j) *
               pixels.at(image, top + j / 3 * shape.dilation, left + j % 3 * shape.dilation);
      }
    }
    store(sum, dx + (row * shape.width + column) * shape.channels + channel);
  }
}

#undef MOBILEONE_UNROLL

}  // namespace mobileone::kernels::cuda
