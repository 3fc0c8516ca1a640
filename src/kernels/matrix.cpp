#include "mobileone/kernels/matrix.h"

#include <algorithm>

#include "dispatch.h"
#include "scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "matrix.cpp"
#include <hwy/foreach_target.h>
// The order matters: Highway compiles what follows once for each instruction set.
#include "vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mobileone::kernels {
namespace HWY_NAMESPACE {

/// Rows of a tile. A tile holds two vectors a row in registers.
inline constexpr int kTileRows = kManyRegisters ? 12 : 6;

/// Asks for a tile that will be written once its products are summed.
template <typename T>
HWY_INLINE void prefetch_tile(const T* tile, int64_t rows, int64_t columns, int64_t stride) {
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; j += kLine) __builtin_prefetch(tile + i * stride + j, 1);
  }
}

/// sums[v][i] = Σ_l left(l, i) · vector v of row l of a panel.
template <int kRows, int kVectors, typename T, typename F>
HWY_INLINE void sum_tile(int64_t depth, const T* panel, const F& left,
                         hn::Vec<Tag<T>> (&sums)[kVectors][kRows]) {
  const Tag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) sums[v][i] = hn::Zero(d);
  }
  for (int64_t l = 0; l < depth; ++l) {
    const auto first = hn::LoadU(d, panel + l * kPanel<T>);
    const auto second = kVectors > 1 ? hn::LoadU(d, panel + l * kPanel<T> + lanes) : first;
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const auto value = hn::Set(d, left(l, i));
      sums[0][i] = hn::MulAdd(value, first, sums[0][i]);
      if constexpr (kVectors > 1) sums[1][i] = hn::MulAdd(value, second, sums[1][i]);
    }
  }
}

template <int kRows, int kVectors, typename T>
HWY_INLINE void multiply_tile(int64_t k, const T* a, int64_t stride_a, const T* panel,
                              const Epilogue<T>& epilogue, int64_t columns, T* y,
                              int64_t stride_y) {
  const Tag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  prefetch_tile(y, kRows, std::min(columns, kVectors * lanes), stride_y);
  hn::Vec<Tag<T>> sums[kVectors][kRows];
  sum_tile<kRows, kVectors>(
      k, panel, [&](int64_t l, int i) { return a[i * stride_a + l]; }, sums);
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) {
      const size_t count = static_cast<size_t>(columns - v * lanes);
      T* out = y + i * stride_y + v * lanes;
      auto sum = sums[v][i];
      if (epilogue.bias != nullptr) sum = hn::Add(sum, load(epilogue.bias + v * lanes, count));
      if (epilogue.accumulate) sum = hn::Add(sum, load(out, count));
      // As torch's ReLU: a NaN stays one.
      if (epilogue.relu) sum = hn::IfThenZeroElse(hn::Lt(sum, hn::Zero(d)), sum);
      store(sum, out, count);
    }
  }
}

/// Calls tile<rows>() for a count of rows known only at run time.
template <int kRows, typename F>
HWY_INLINE void with_rows(int64_t rows, const F& tile) {
  if (rows >= kRows) {
    tile(std::integral_constant<int, kRows>());
  } else if constexpr (kRows > 1) {
    with_rows<kRows - 1>(rows, tile);
  }
}

/// Asks for rows [begin, end) to be brought into L2.
template <typename S>
HWY_INLINE void prefetch_rows(const S* data, int64_t begin, int64_t end, int64_t count,
                              int64_t stride) {
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(S));
  for (int64_t r = begin; r < end; ++r) {
    for (int64_t i = 0; i < count; i += kLine) __builtin_prefetch(data + r * stride + i, 0, 2);
  }
}

template <typename T>
void multiply(int64_t rows, int64_t k, int64_t n, const T* a, int64_t stride_a, const T* packed,
              const Epilogue<T>& epilogue, T* y, int64_t stride_y) {
  const int64_t step = 2 * static_cast<int64_t>(hn::Lanes(Tag<T>()));
  constexpr int64_t kBlock = 8 * kTileRows;  // rows whose part of a stays in L2 for all panels
  for (int64_t block = 0; block < rows; block += kBlock) {
    const int64_t end = std::min(block + kBlock, rows);
    for (int64_t j = 0; j < n; j += step) {
      const T* panel = packed + j / kPanel<T> * kPanel<T> * k + j % kPanel<T>;
      Epilogue<T> here = epilogue;
      if (here.bias != nullptr) here.bias += j;
      for (int64_t r = block; r < end; r += kTileRows) {
        if (j == 0)
          prefetch_rows(a, r + kBlock, std::min(r + kBlock + kTileRows, rows), k, stride_a);
        with_rows<kTileRows>(end - r, [&](auto tile_rows) {
          const auto* rows_a = a + r * stride_a;
          T* rows_y = y + r * stride_y + j;
          if (n - j > step / 2) {
            multiply_tile<tile_rows.value, 2>(k, rows_a, stride_a, panel, here, n - j, rows_y,
                                              stride_y);
          } else {
            multiply_tile<tile_rows.value, 1>(k, rows_a, stride_a, panel, here, n - j, rows_y,
                                              stride_y);
          }
        });
      }
    }
  }
}

MOBILEONE_KERNEL(multiply, float)
MOBILEONE_KERNEL(multiply, double)

/// Copies columns [from, from + width) of `rows` rows side by side, shifted, zeros beyond the last.
template <typename S>
HWY_INLINE void copy_columns(int64_t rows, const Columns<S>& m, int64_t from, int64_t width,
                             Compute<S>* out) {
  using T = Compute<S>;
  const Tag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < width; i += lanes) {
    const size_t count = static_cast<size_t>(std::clamp<int64_t>(m.count - from - i, 0, lanes));
    const size_t kept = static_cast<size_t>(std::min(width - i, lanes));
    if (count == 0) {
      for (int64_t r = 0; r < rows; ++r) store(hn::Zero(d), out + r * width + i, kept);
      continue;
    }
    const auto shift = m.shift != nullptr ? load(m.shift + from + i, count) : hn::Zero(d);
    const S* data = m.data + from + i;
    for (int64_t r = 0; r < rows; ++r) {
      store(hn::Sub(load(data + r * m.stride, count), shift), out + r * width + i, kept);
    }
  }
}

template <int kVectors, typename T>
HWY_INLINE void outer_tile(int64_t rows, const T* a, const T* b, int64_t height, int64_t columns,
                           double* c, int64_t stride_c) {
  const Tag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  prefetch_tile(c, std::min<int64_t>(height, kTileRows), std::min(columns, kVectors * lanes),
                stride_c);
  hn::Vec<Tag<T>> sums[kVectors][kTileRows];
  sum_tile<kTileRows, kVectors>(
      rows, b, [&](int64_t r, int i) { return a[r * kTileRows + i]; }, sums);
#pragma GCC unroll 16
  for (int i = 0; i < kTileRows; ++i) {
    if (i >= height) break;
    for (int v = 0; v < kVectors; ++v) {
      add_to(sums[v][i], c + i * stride_c + v * lanes, static_cast<size_t>(columns - v * lanes));
    }
  }
}

template <typename S>
void outer_product(int64_t rows, const Columns<S>& a, const Columns<S>& b, int64_t diagonal,
                   double* c, int64_t stride_c) {
  using T = Compute<S>;
  // Sums in T over so many rows, in double beyond; a block of panels stays in L1 and L2.
  constexpr int64_t kBlock = 192;
  const int64_t step = 2 * static_cast<int64_t>(hn::Lanes(Tag<T>()));
  const int64_t tiles = (a.count + kTileRows - 1) / kTileRows;
  T* const b_panel = scratch<T>(static_cast<size_t>((kPanel<T> + tiles * kTileRows) * kBlock));
  T* const a_panels = b_panel + kPanel<T> * kBlock;
  for (int64_t block = 0; block < rows; block += kBlock) {
    const int64_t height = std::min(kBlock, rows - block);
    Columns<S> a_rows = a, b_rows = b;
    a_rows.data += block * a.stride;
    b_rows.data += block * b.stride;
    prefetch_rows(b_rows.data, 0, height, b.count, b.stride);
    for (int64_t t = 0; t < tiles; ++t) {
      copy_columns(height, a_rows, t * kTileRows, kTileRows, a_panels + t * kTileRows * kBlock);
    }
    for (int64_t j = 0; j < b.count; j += kPanel<T>) {
      copy_columns(height, b_rows, j, kPanel<T>, b_panel);
      for (int64_t t = 0; t < tiles && t * kTileRows < j + kPanel<T> + diagonal; ++t) {
        for (int64_t part = 0; part < kPanel<T> && j + part < b.count; part += step) {
          const T* a_panel = a_panels + t * kTileRows * kBlock;
          const int64_t columns = b.count - j - part, tile_height = a.count - t * kTileRows;
          double* tile = c + t * kTileRows * stride_c + j + part;
          if (columns > step / 2) {
            outer_tile<2>(height, a_panel, b_panel + part, tile_height, columns, tile, stride_c);
          } else {
            outer_tile<1>(height, a_panel, b_panel + part, tile_height, columns, tile, stride_c);
          }
        }
      }
    }
  }
}

MOBILEONE_KERNELS(outer_product)

}  // namespace HWY_NAMESPACE
}  // namespace mobileone::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mobileone::kernels {

template <typename T>
void pack(int64_t k, int64_t n, const T* b, int64_t stride_k, int64_t stride_n, T* packed) {
  for (int64_t j = 0; j < n; j += kPanel<T>) {
    const int64_t width = std::min(kPanel<T>, n - j);
    for (int64_t i = 0; i < k; ++i, packed += kPanel<T>) {
      for (int64_t l = 0; l < width; ++l) packed[l] = b[i * stride_k + (j + l) * stride_n];
      std::fill(packed + width, packed + kPanel<T>, T(0));
    }
  }
}
template void pack(int64_t, int64_t, const float*, int64_t, int64_t, float*);
template void pack(int64_t, int64_t, const double*, int64_t, int64_t, double*);

HWY_EXPORT(multiply_float);
HWY_EXPORT(multiply_double);
MOBILEONE_DISPATCH(outer_product)

template <>
void multiply(int64_t rows, int64_t k, int64_t n, const float* a, int64_t stride_a,
              const float* packed, const Epilogue<float>& epilogue, float* y, int64_t stride_y) {
  HWY_DYNAMIC_DISPATCH(multiply_float)()(rows, k, n, a, stride_a, packed, epilogue, y, stride_y);
}
template <>
void multiply(int64_t rows, int64_t k, int64_t n, const double* a, int64_t stride_a,
              const double* packed, const Epilogue<double>& epilogue, double* y, int64_t stride_y) {
  HWY_DYNAMIC_DISPATCH(multiply_double)()(rows, k, n, a, stride_a, packed, epilogue, y, stride_y);
}

template <typename S>
void outer_product(int64_t rows, const Columns<S>& a, const Columns<S>& b, int64_t diagonal,
                   double* c, int64_t stride_c) {
  best_outer_product<S>()(rows, a, b, diagonal, c, stride_c);
}
#define MOBILEONE_INSTANTIATE(S)                                                               \
  template void outer_product(int64_t, const Columns<S>&, const Columns<S>&, int64_t, double*, \
                              int64_t);
MOBILEONE_INSTANTIATE(float)
MOBILEONE_INSTANTIATE(double)
MOBILEONE_INSTANTIATE(bfloat16)
#undef MOBILEONE_INSTANTIATE

}  // namespace mobileone::kernels
#endif
