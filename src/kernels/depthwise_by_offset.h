#pragma once

#include "mobileone/kernels/depthwise.h"

/// For functions that a CPU and a CUDA device run alike.
#ifdef __CUDACC__
#define MOBILEONE_HOST_DEVICE __host__ __device__
#else
#define MOBILEONE_HOST_DEVICE
#endif

/// The factors of InputGradient::by_offset, for 3×3 kernels of stride 1 or 2 without dilation.
namespace mobileone::kernels {

/// Which of a kernel's three rows (or columns) of taps see row (or column) `at` of the input: bit k
/// for tap k. It depends on the parity of `at` for stride 2, and on the borders.
MOBILEONE_HOST_DEVICE inline int tap_mask(int64_t at, int64_t out_size, int64_t stride) {
  int mask = 0;
  for (int k = 0; k < 3; ++k) {
    const int64_t from = at + 1 - k;
    if (from >= 0 && from % stride == 0 && from / stride < out_size) mask |= 1 << k;
  }
  return mask;
}

/// A kind of pixel is a mask of rows and one of columns. Those that occur with a stride have
/// numbers below 4: 111, 011, 110 and 010 with stride 1; 101, 100 and 010 with stride 2.
MOBILEONE_HOST_DEVICE inline int64_t mask_index(int mask) {
  const int8_t index[8] = {0, 0, 3, 1, 2, 1, 2, 0};
  return index[mask];
}
MOBILEONE_HOST_DEVICE inline int mask_of_index(int64_t index, int64_t stride) {
  const int8_t mask[2][4] = {{7, 3, 6, 2}, {0, 5, 4, 2}};
  return mask[stride - 1][index];
}
MOBILEONE_HOST_DEVICE inline int64_t kind_of_pixel(int row_mask, int column_mask) {
  return 4 * mask_index(row_mask) + mask_index(column_mask);
}

/// Where the factors of a kind begin for a channel; they lie Depthwise::kBlock apart.
MOBILEONE_HOST_DEVICE inline int64_t factors_at(int64_t channel, int64_t kind) {
  return (channel / Depthwise::kBlock * Depthwise::kPixelKinds + kind) * Depthwise::kOffsetFactors *
             Depthwise::kBlock +
         channel % Depthwise::kBlock;
}

/// Fills by_offset of one kind of pixel for `count` channels of a block: the sums of the factors d
/// and e over the taps of which such a pixel is one.
template <typename T>
MOBILEONE_HOST_DEVICE void sum_factors(const Depthwise& shape, int64_t channel, int64_t count,
                                       int64_t kind, const T* d, const T* e, T* by_offset) {
  constexpr int64_t kBlock = Depthwise::kBlock, kCentre = 12, kConstant = 25;
  T* factors = by_offset + factors_at(channel, kind);
  for (int64_t i = 0; i < Depthwise::kOffsetFactors; ++i) {
    for (int64_t c = 0; c < count; ++c) factors[i * kBlock + c] = T(0);
  }
  const auto add = [&](int64_t factor, const T* values) {
    for (int64_t c = 0; c < count; ++c) factors[factor * kBlock + c] += values[channel + c];
  };
  const int rows = mask_of_index(kind / 4, shape.stride),
            columns = mask_of_index(kind % 4, shape.stride);
  for (int64_t i = 0; i < 9; ++i) {
    if ((rows >> (i / 3) & 1) == 0 || (columns >> (i % 3) & 1) == 0) continue;
    add(kConstant, e + i * shape.channels);
    for (int64_t j = 0; j < 9; ++j) {
      const int64_t offset = (j / 3 - i / 3) * 5 + j % 3 - i % 3;
      add(kCentre + offset, d + (i * 9 + j) * shape.channels);
    }
  }
}

}  // namespace mobileone::kernels
