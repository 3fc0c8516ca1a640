#include "mobileone/kernels/matrix.h"

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>

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

/// Rows of a tile of `multiply`: two vectors of sums a row, which leave registers for two of the
/// right side and those of the left. Where scalars are loaded a vector at a time, as on ARM, these
/// need some more.
inline constexpr int kTileRows = HWY_TARGET == HWY_NEON ? 10 : kManyRegisters ? 12 : 6;

template <int kRows, int kVectors, typename T>
struct Tile {
  Vector<T> sums[kVectors][kRows];

  HWY_INLINE Tile() {
    unroll<kRows>([&](auto i) MOBILEONE_INLINE {
      unroll<kVectors>([&](auto v) MOBILEONE_INLINE { sums[v][i] = hn::Zero(Tag<T>()); });
    });
  }

  /// sums[v][i] += Σ_l left(l, i) · right(l, v).
  template <typename Left, typename Right>
  HWY_INLINE void add_products(int64_t depth, const Left& left, const Right& right) {
    Vector<T> local[kVectors][kRows];  // members would be stored in every round
    const auto each = [](const auto& f) MOBILEONE_INLINE {
      unroll<kRows>([&](auto i) MOBILEONE_INLINE {
        unroll<kVectors>([&](auto v) MOBILEONE_INLINE { f(v, i); });
      });
    };
    each([&](auto v, auto i) MOBILEONE_INLINE { local[v][i] = sums[v][i]; });
    for (int64_t l = 0; l < depth; ++l) {
      Vector<T> columns[kVectors];
      unroll<kVectors>([&](auto v) MOBILEONE_INLINE { columns[v] = right(l, v); });
      unroll<kRows>([&](auto i) MOBILEONE_INLINE {
        const auto value = hn::Set(Tag<T>(), left(l, i));
        unroll<kVectors>([&](auto v) MOBILEONE_INLINE {
          local[v][i] = hn::MulAdd(value, columns[v], local[v][i]);
        });
      });
    }
    each([&](auto v, auto i) MOBILEONE_INLINE { sums[v][i] = local[v][i]; });
  }
};

/// Asks for a tile that will be written once its products are summed.
template <typename S>
HWY_INLINE void prefetch_tile(const S* tile, int64_t rows, int64_t columns, int64_t stride) {
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(S));
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; j += kLine) __builtin_prefetch(tile + i * stride + j, 1);
  }
}

/// Asks for part `part` of `parts` of rows [begin, end) to be brought into L2. Memory brings some
/// twenty lines at a time: asked for all at once, the rest would wait.
template <typename S>
HWY_INLINE void prefetch_rows(const S* data, int64_t begin, int64_t end, int64_t count,
                              int64_t stride, int64_t part, int64_t parts) {
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(S));
  const int64_t rows = end - begin;
  for (int64_t r = begin + rows * part / parts; r < begin + rows * (part + 1) / parts; ++r) {
    for (int64_t i = 0; i < count; i += kLine) __builtin_prefetch(data + r * stride + i, 0, 2);
  }
}

/// `height` rows and `columns` columns of y, at most a tile, from whole tiles of each a.
template <int kVectors, typename S>
HWY_INLINE void multiply_tile(std::span<const Factors<Compute<S>>> products, int64_t row,
                              int64_t column, const Epilogue<Compute<S>>& epilogue, int64_t height,
                              int64_t columns, S* y, int64_t stride) {
  using T = Compute<S>;
  const Tag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  prefetch_tile(y, std::min<int64_t>(height, kTileRows), std::min(columns, kVectors * lanes),
                stride);
  Tile<kTileRows, kVectors, T> tile;
  for (const Factors<T>& p : products) {
    const T* a = p.a + row * p.stride;
    const T* panels[kVectors];
    unroll<kVectors>([&](auto v) MOBILEONE_INLINE {
      const int64_t at = column + v * lanes;
      panels[v] = p.packed + at / kPanel<T> * kPanel<T> * p.k + at % kPanel<T>;
    });
    tile.add_products(
        p.k, [&](int64_t l, auto i) MOBILEONE_INLINE { return a[i * p.stride + l]; },
        [&](int64_t l, auto v)
            MOBILEONE_INLINE { return hn::LoadU(d, panels[v] + l * kPanel<T>); });
  }
  // As torch's ReLU: a NaN stays one.
  const auto least = hn::Set(d, epilogue.relu ? T(0) : -std::numeric_limits<T>::infinity());
  const auto finish = [&](auto rows, auto v, auto count) MOBILEONE_INLINE {
    const auto bias =
        epilogue.bias != nullptr ? load(epilogue.bias + column + v * lanes, count) : hn::Zero(d);
    unroll<kTileRows>([&](auto i) MOBILEONE_INLINE {
      if (i >= rows) return;
      S* out = y + i * stride + v * lanes;
      auto sum = hn::Add(tile.sums[v][i], bias);
      if (epilogue.accumulate) sum = hn::Add(sum, load(out, count));
      store(hn::IfThenElse(hn::Lt(sum, least), least, sum), out, count);
    });
  };
  if (height >= kTileRows && columns >= kVectors * lanes) {
    unroll<kVectors>([&](auto v) MOBILEONE_INLINE {
      finish(std::integral_constant<int, kTileRows>(), v, kFull<T>);
    });
  } else {
    unroll<kVectors>([&](auto v) MOBILEONE_INLINE {
      finish(height, v, static_cast<size_t>(columns - v * lanes));
    });
  }
}

/// The products of rows [begin, end) as tiles read them: rows of the arithmetic's precision, and of
/// whole tiles. Copies those that are not so into scratch.
template <typename S>
std::array<Factors<Compute<S>>, kMostProducts> whole_tiles(std::span<const Factors<S>> products,
                                                           int64_t begin, int64_t end) {
  using T = Compute<S>;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Tag<T>())), rows = end - begin,
                padded = (rows + kTileRows - 1) / kTileRows * kTileRows;
  std::array<Factors<T>, kMostProducts> whole;
  if constexpr (std::is_same_v<S, T>) {
    if (rows == padded) {
      std::copy(products.begin(), products.end(), whole.begin());
      for (auto& p : whole) p.a += begin * p.stride;
      return whole;
    }
  }
  int64_t size = 0;
  for (const auto& p : products) size += padded * p.k;
  T* memory = scratch<T>(static_cast<size_t>(size));
  for (size_t i = 0; i < products.size(); ++i) {
    const Factors<S>& p = products[i];
    whole[i] = {memory, p.k, p.k, p.packed};
    for (int64_t r = 0; r < rows; ++r, memory += p.k) {
      for (int64_t l = 0; l < p.k; l += lanes) {
        const size_t count = static_cast<size_t>(p.k - l);
        store(load(p.a + (begin + r) * p.stride + l, count), memory + l, count);
      }
    }
    memory = std::fill_n(memory, (padded - rows) * p.k, T(0));
  }
  return whole;
}

template <typename S>
void multiply(int64_t rows, int64_t n, std::span<const Factors<S>> products,
              const Epilogue<Compute<S>>& epilogue, S* y, int64_t stride) {
  using T = Compute<S>;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Tag<T>()));
  constexpr int64_t kBlock = 8 * kTileRows;  // rows whose part of a stays in L2 for all panels
  for (int64_t block = 0; block < rows; block += kBlock) {
    const int64_t height = std::min(kBlock, rows - block);
    const auto whole = whole_tiles(products, block, block + height);
    const std::span<const Factors<T>> here(whole.data(), products.size());
    for (int64_t j = 0; j < n; j += 2 * lanes) {
      for (const auto& p : products) {
        prefetch_rows(p.a, block + height, std::min(block + height + kBlock, rows), p.k, p.stride,
                      j / (2 * lanes), (n + 2 * lanes - 1) / (2 * lanes));
      }
      for (int64_t r = 0; r < height; r += kTileRows) {
        S* out = y + (block + r) * stride + j;
        if (n - j > lanes) {
          multiply_tile<2>(here, r, j, epilogue, height - r, n - j, out, stride);
        } else {
          multiply_tile<1>(here, r, j, epilogue, height - r, n - j, out, stride);
        }
      }
    }
  }
}

MOBILEONE_KERNELS(multiply)

/// Rows whose products are summed in the operands' precision; chunks of which panels hold a few.
inline constexpr int64_t kChunk = 64, kPanelRows = 3 * kChunk;

/// Elements of a panel of kPanelRows rows, and a line so that panels lie in different sets of L1.
template <typename T>
inline constexpr int64_t kPanelSize = (kPanelRows + 1) * kPanel<T>;

template <typename T>
constexpr int64_t panels_of(int64_t columns) {
  return (columns + kPanel<T> - 1) / kPanel<T>;
}

/// Lays out `rows` rows of m, shifted, as panels of kPanel columns with zeros beyond the last, and
/// sums them. A panel of whole vectors at a time: each line of memory is read once.
template <typename S>
void copy_panels(int64_t rows, const Columns<S>& m, Compute<S>* panels) {
  using T = Compute<S>;
  const Tag<T> d;
  constexpr int64_t kLanes = hn::MaxLanes(d), kVectors = kPanel<T> / kLanes;
  for (int64_t c = 0; c < m.count; c += kPanel<T>, panels += kPanelSize<T>) {
    Vector<T> shift[kVectors], sum[kVectors];
    const auto copy = [&](auto load_vector) MOBILEONE_INLINE {
      unroll<kVectors>([&](auto v) MOBILEONE_INLINE {
        shift[v] = m.shift != nullptr ? load_vector(m.shift + c, v) : hn::Zero(d);
        sum[v] = hn::Zero(d);
      });
      const S* in = m.data + c;
      T* out = panels;
      for (int64_t r = 0; r < rows; ++r, in += m.stride, out += kPanel<T>) {
        unroll<kVectors>([&](auto v) MOBILEONE_INLINE {
          const auto value = hn::Sub(load_vector(in, v), shift[v]);
          hn::Store(value, d, out + v * kLanes);
          sum[v] = hn::Add(sum[v], value);
        });
      }
    };
    const int64_t count = m.count - c;
    if (HWY_LIKELY(count >= kPanel<T>)) {
      copy([](const auto* p, auto v) MOBILEONE_INLINE { return load(p + v * kLanes, kFull<T>); });
    } else {
      copy([&](const auto* p, auto v) MOBILEONE_INLINE {
        const int64_t left = count - v * kLanes;
        return left > 0 ? load(p + v * kLanes, static_cast<size_t>(left)) : hn::Zero(d);
      });
    }
    if (m.sums == nullptr) continue;
    unroll<kVectors>([&](auto v) MOBILEONE_INLINE {
      const int64_t left = count - v * kLanes;
      if (left > 0) add_to(sum[v], m.sums + c + v * kLanes, static_cast<size_t>(left));
    });
  }
}

/// c += the products of kRows columns of a panel `a` with kVectors vectors of columns of b, of
/// which `columns` are wanted and `height` rows.
template <int kRows, int kVectors, typename T>
HWY_INLINE void outer_tile(int64_t rows, const T* a, const T* const* b, int64_t height,
                           int64_t columns, double* c, int64_t stride_c) {
  const Tag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  if (height <= 0) return;
  prefetch_tile(c, std::min<int64_t>(height, kRows), std::min(columns, kVectors * lanes), stride_c);
  HWY_ALIGN T total[kVectors * kRows * hn::MaxLanes(d)];
  for (int64_t begin = 0; begin < rows; begin += kChunk) {
    Tile<kRows, kVectors, T> tile;
    tile.add_products(
        std::min(kChunk, rows - begin),
        [&](int64_t l, auto i) MOBILEONE_INLINE { return a[(begin + l) * kPanel<T> + i]; },
        [&](int64_t l, auto v)
            MOBILEONE_INLINE { return hn::LoadU(d, b[v] + (begin + l) * kPanel<T>); });
    unroll<kRows>([&](auto i) MOBILEONE_INLINE {
      unroll<kVectors>([&](auto v) MOBILEONE_INLINE {
        T* sum = total + (i * kVectors + v) * lanes;
        auto value = tile.sums[v][i];
        if (begin > 0) value = hn::Add(value, hn::Load(d, sum));
        hn::Store(value, d, sum);
      });
    });
  }
  const auto add = [&](auto some, auto v, auto count) MOBILEONE_INLINE {
    for (int64_t i = 0; i < some; ++i) {
      add_to(hn::Load(d, total + (i * kVectors + v) * lanes), c + i * stride_c + v * lanes, count);
    }
  };
  if (height >= kRows && columns >= kVectors * lanes) {
    unroll<kVectors>([&](auto v) MOBILEONE_INLINE {
      add(std::integral_constant<int64_t, kRows>(), v, kFull<T>);
    });
  } else {
    unroll<kVectors>([&](auto v) MOBILEONE_INLINE {
      add(std::min<int64_t>(height, kRows), v, static_cast<size_t>(columns - v * lanes));
    });
  }
}

/// The tiles of a panel of a and kVectors vectors of columns of b.
template <int kVectors, typename T>
HWY_INLINE void outer_panel(int64_t rows, const T* a, const T* const* b, int64_t height,
                            int64_t columns, double* c, int64_t stride_c) {
  const auto tile = [&](auto tile_rows, int64_t first) MOBILEONE_INLINE {
    outer_tile<tile_rows, kVectors>(rows, a + first, b, height - first, columns,
                                    c + first * stride_c, stride_c);
  };
  if constexpr (kManyRegisters) {
    for (int64_t i = 0; i < kPanel<T>; i += 8) tile(std::integral_constant<int, 8>(), i);
  } else if constexpr (kPanel<T> == 16) {
    tile(std::integral_constant<int, 6>(), 0);
    for (int64_t i = 6; i < 16; i += 5) tile(std::integral_constant<int, 5>(), i);
  } else {
    for (int64_t i = 0; i < kPanel<T>; i += 4) tile(std::integral_constant<int, 4>(), i);
  }
}

template <typename S>
void outer_product(int64_t rows, const Columns<S>& a, const Columns<S>& b, Part part, double* c,
                   int64_t stride_c) {
  using T = Compute<S>;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Tag<T>())), step = 2 * lanes;
  const bool same = a.data == b.data && a.count == b.count && a.shift == b.shift;
  const int64_t a_panels = panels_of<T>(a.count), b_panels = same ? 0 : panels_of<T>(b.count);
  T* const left = scratch<T>(static_cast<size_t>((a_panels + b_panels) * kPanelSize<T>));
  const T* const right = same ? left : left + a_panels * kPanelSize<T>;
  for (int64_t block = 0; block < rows; block += kPanelRows) {
    const int64_t height = std::min(kPanelRows, rows - block);
    const auto here = [&](Columns<S> m) {
      m.data += block * m.stride;
      return m;
    };
    copy_panels(height, here(a), left);
    if (!same) copy_panels(height, here(b), left + a_panels * kPanelSize<T>);
    for (int64_t p = 0; p < a_panels; ++p) {
      const int64_t first = p * kPanel<T>;
      for (int64_t j = part == Part::kUpper ? first / step * step : 0; j < b.count; j += step) {
        const auto column = [&](int64_t at) {
          return right + at / kPanel<T> * kPanelSize<T> + at % kPanel<T>;
        };
        const T* const panels[] = {column(j), column(j + lanes)};
        double* tile = c + first * stride_c + j;
        const T* rows_of_a = left + p * kPanelSize<T>;
        if (b.count - j > lanes) {
          outer_panel<2>(height, rows_of_a, panels, a.count - first, b.count - j, tile, stride_c);
        } else {
          outer_panel<1>(height, rows_of_a, panels, a.count - first, b.count - j, tile, stride_c);
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

MOBILEONE_DISPATCH(multiply)
MOBILEONE_DISPATCH(outer_product)

template <typename S>
void multiply(int64_t rows, int64_t n, std::span<const Factors<S>> products,
              const Epilogue<Compute<S>>& epilogue, S* y, int64_t stride) {
  best_multiply<S>()(rows, n, products, epilogue, y, stride);
}

template <typename S>
void outer_product(int64_t rows, const Columns<S>& a, const Columns<S>& b, Part part, double* c,
                   int64_t stride_c) {
  best_outer_product<S>()(rows, a, b, part, c, stride_c);
}
#define MOBILEONE_INSTANTIATE(S)                                                            \
  template void multiply(int64_t, int64_t, std::span<const Factors<S>>,                     \
                         const Epilogue<Compute<S>>&, S*, int64_t);                         \
  template void outer_product(int64_t, const Columns<S>&, const Columns<S>&, Part, double*, \
                              int64_t);
MOBILEONE_INSTANTIATE(float)
MOBILEONE_INSTANTIATE(double)
MOBILEONE_INSTANTIATE(bfloat16)
#undef MOBILEONE_INSTANTIATE

}  // namespace mobileone::kernels
#endif
