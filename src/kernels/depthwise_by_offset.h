#pragma once

#include <cstdint>

/// For functions that a CPU and a CUDA device run alike.
#ifdef __CUDACC__
#define MOBILEONE_HOST_DEVICE __host__ __device__
#else
#define MOBILEONE_HOST_DEVICE
#endif

namespace mobileone::kernels {

/// Kinds of pixels by the edges that they lie on, and factors of each kind: 25 of x by offset and a
/// constant.
inline constexpr int64_t kPixelKinds = 16, kOffsetFactors = 26;

/// The kind of pixel (y,x); depthwise.h names the bits.
MOBILEONE_HOST_DEVICE inline int64_t pixel_kind(int64_t y, int64_t x, int64_t height,
                                                int64_t width) {
  return (y == 0 ? 1 : 0) + (y == height - 1 ? 2 : 0) + (x == 0 ? 4 : 0) + (x == width - 1 ? 8 : 0);
}

/// Fills InputGradient::by_offset of one kind of pixel for channels [begin, end): the sums of the
/// factors d and e over the patches that see such a pixel.
template <typename T>
MOBILEONE_HOST_DEVICE void sum_by_offset_of_kind(int64_t channels, int64_t kind, int64_t begin,
                                                 int64_t end, const T* d, const T* e,
                                                 T* by_offset) {
  T* rows = by_offset + kind * kOffsetFactors * channels;
  for (int64_t row = 0; row < kOffsetFactors; ++row) {
    for (int64_t c = begin; c < end; ++c) rows[row * channels + c] = T(0);
  }
  const bool first_row = kind & 1, last_row = kind & 2, first_column = kind & 4,
             last_column = kind & 8;
  for (int64_t i = 0; i < 9; ++i) {
    const int64_t y = i / 3 - 1, x = i % 3 - 1;  // the pixel is tap i of the patch at −(y, x)
    if ((y > 0 && first_row) || (y < 0 && last_row) || (x > 0 && first_column) ||
        (x < 0 && last_column)) {
      continue;
    }
    for (int64_t c = begin; c < end; ++c) rows[25 * channels + c] += e[i * channels + c];
    for (int64_t j = 0; j < 9; ++j) {
      T* sum = rows + ((j / 3 - 1 - y + 2) * 5 + j % 3 - 1 - x + 2) * channels;
      const T* factor = d + (i * 9 + j) * channels;
      for (int64_t c = begin; c < end; ++c) sum[c] += factor[c];
    }
  }
}

}  // namespace mobileone::kernels
