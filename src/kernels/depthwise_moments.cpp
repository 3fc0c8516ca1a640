#include "depthwise_sums.h"
#include "dispatch.h"
#include "mobileone/kernels/depthwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "depthwise_moments.cpp"
#include <hwy/foreach_target.h>
// The order matters: Highway compiles what follows once for each instruction set.
#include "depthwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mobileone::kernels {
namespace HWY_NAMESPACE {

/// products[i] += Σ_q x[q] x[q + i steps] for i = 0, 1, 2 over `count` pixels `step` apart;
/// linear += Σ_q x[q].
template <typename T>
HWY_INLINE void sum_line(const T* first, int64_t count, T* products, T* linear) {
  constexpr int64_t kStep = kStrip<T>;
  const Tag<T> d;
  auto s0 = hn::Load(d, products), s1 = hn::Load(d, products + kStep),
       s2 = hn::Load(d, products + 2 * kStep), s = hn::Load(d, linear);
  for (int64_t i = 0; i < count; ++i, first += kStep) {
    const auto v = hn::Load(d, first);
    s = hn::Add(s, v);
    s0 = hn::MulAdd(v, v, s0);
    s1 = hn::MulAdd(v, hn::Load(d, first + kStep), s1);
    s2 = hn::MulAdd(v, hn::Load(d, first + 2 * kStep), s2);
  }
  hn::Store(s0, d, products);
  hn::Store(s1, d, products + kStep);
  hn::Store(s2, d, products + 2 * kStep);
  hn::Store(s, d, linear);
}

template <typename S>
class FastMoments {
 public:
  using T = Compute<S>;

  static size_t size(const Depthwise& shape) {
    return kFastRows * kStrip<T> + Window<S>::size(3, shape.width, 2);
  }

  FastMoments(const Depthwise& shape, const Strip& strip, const S* x, T* memory, double* out)
      : height_(shape.height),
        width_(shape.width),
        count_(strip.count),
        sums_(memory, kFastRows, out, shape.channels, strip, kFastRows - kFirstRow),
        window_(memory + kFastRows * kStrip<T>, 3, 2, x, shape, strip, nullptr) {}

  HWY_INLINE void row(int64_t y) {
    window_.advance(0, y + 2);
    for_vectors<T>(count_, [&](int64_t at, size_t) { add_row(y, at); });
    sums_.after(width_);
  }

  HWY_INLINE void finish() { sums_.flush(); }

 private:
  T* sum(int64_t row, int64_t at) { return sums_.row(row) + at; }

  /// Vector `at` of row y.
  HWY_INLINE void add_row(int64_t y, int64_t at) {
    const Tag<T> d;
    const T *r0 = window_.row(y) + at, *r1 = window_.row(y + 1) + at, *r2 = window_.row(y + 2) + at;
    T* const totals = sum(kOffsets, at);
    Vector<T> s[13], total = hn::Load(d, totals + kTotal * kStrip<T>);
    unroll<13>([&](auto i) MOBILEONE_INLINE { s[i] = hn::Load(d, totals + i * kStrip<T>); });
    for (int64_t i = 0; i < width_ * kStrip<T>; i += kStrip<T>) {
      const auto v = hn::Load(d, r0 + i);
      total = hn::Add(total, v);
      s[0] = hn::MulAdd(v, v, s[0]);
      s[1] = hn::MulAdd(v, hn::Load(d, r0 + i + kStrip<T>), s[1]);
      s[2] = hn::MulAdd(v, hn::Load(d, r0 + i + 2 * kStrip<T>), s[2]);
      unroll<5>([&](auto k) MOBILEONE_INLINE {
        s[3 + k] = hn::MulAdd(v, hn::Load(d, r1 + i + (k - 2) * kStrip<T>), s[3 + k]);
        s[8 + k] = hn::MulAdd(v, hn::Load(d, r2 + i + (k - 2) * kStrip<T>), s[8 + k]);
      });
    }
    unroll<13>([&](auto i) MOBILEONE_INLINE { hn::Store(s[i], d, totals + i * kStrip<T>); });
    hn::Store(total, d, totals + kTotal * kStrip<T>);
    if (y == 0) sum_line(r0, width_, sum(kFirstRow, at), sum(kEdges, at));
    if (y == height_ - 1) sum_line(r0, width_, sum(kLastRow, at), sum(kEdges + 1, at));
    for (int side = 0; side < 2; ++side) add_edge(y, side, at, r0, r1, r2);
  }

  /// The first or last pixel of row y.
  HWY_INLINE void add_edge(int64_t y, int side, int64_t at, const T* r0, const T* r1, const T* r2) {
    const Tag<T> d;
    const int64_t pixel = side == 0 ? 0 : (width_ - 1) * kStrip<T>;
    const auto v = hn::Load(d, r0 + pixel);
    const auto add = [&](int row, Vector<T> value) {
      hn::Store(hn::Add(hn::Load(d, sum(row, at)), value), d, sum(row, at));
    };
    const int column = side == 0 ? kFirstColumn : kLastColumn;
    add(column, hn::Mul(v, v));
    add(column + 1, hn::Mul(v, hn::Load(d, r1 + pixel)));
    add(column + 2, hn::Mul(v, hn::Load(d, r2 + pixel)));
    add(kEdges + 2 + side, v);
    if (y == 0) {
      add(kCorners + side, hn::Mul(v, v));
      add(kCornerValues + side, v);
    }
    if (y == height_ - 1) {
      add(kCorners + 2 + side, hn::Mul(v, v));
      add(kCornerValues + 2 + side, v);
    }
  }

  int64_t height_, width_, count_;
  Sums<T> sums_;
  Window<S> window_;
};

template <typename S>
class GeneralMoments {
 public:
  using T = Compute<S>;

  static size_t size(const Depthwise& shape) {
    return static_cast<size_t>((shape.moment_rows() + 1) * kStrip<T>) +
           Window<S>::size(shape.window_rows(), shape.width, shape.padding());
  }

  GeneralMoments(const Depthwise& shape, const Strip& strip, const S* x, const T* shift, T* memory,
                 double* out)
      : shape_(shape),
        count_(strip.count),
        sums_(memory, shape.moment_rows(), out, shape.channels, strip),
        shift_(memory + shape.moment_rows() * kStrip<T>),
        window_(shift_ + kStrip<T>, shape.window_rows(), shape.padding(), x, shape, strip, shift_) {
    gather(shift, 1, shape.channels, strip, shift_);
  }

  HWY_INLINE void row(int64_t y) {
    const int64_t top = y * shape_.stride - shape_.padding();
    window_.advance(-shape_.padding(), top + 2 * shape_.padding());
    for_vectors<T>(count_, [&](int64_t at, size_t) { add_row(top, at); });
    sums_.after(shape_.out_width());
  }

  HWY_INLINE void finish() { sums_.flush(); }

 private:
  HWY_INLINE void add_row(int64_t top, int64_t at) {
    const Tag<T> d;
    const int64_t taps = shape_.taps(), step = shape_.stride * kStrip<T>;
    const T* tap[kMostTaps];
    tap_rows(shape_, window_, top, at, 0, shape_.kernel, tap);
    HWY_ALIGN T ones[kLanes<T>];
    hn::Store(hn::Set(d, T(1)), d, ones);
    sum_products(taps, ones, 0, tap, step, shape_.out_width(), sums_.row(0) + at);
    T* products = sums_.row(taps) + at;
    for (int64_t i = 0; i < taps; products += (taps - i) * kStrip<T>, ++i) {
      sum_products(taps - i, tap[i], step, tap + i, step, shape_.out_width(), products);
    }
  }

  const Depthwise& shape_;
  int64_t count_;
  Sums<T> sums_;
  T* shift_;
  Window<S> window_;
};

/// Either way, as a strip's channels ask.
template <typename S>
class Moments {
 public:
  using T = Compute<S>;

  static size_t size(const Depthwise& shape) {
    return std::max(FastMoments<S>::size(shape), GeneralMoments<S>::size(shape));
  }

  Moments(const Depthwise& shape, const Strip& strip, const S* x, const T* shift, bool fast,
          T* memory, double* out)
      : is_fast_(fast),
        fast_(shape, strip, x, memory, out),
        general_(shape, strip, x, shift, memory, out) {}
  HWY_INLINE void row(int64_t y) { is_fast_ ? fast_.row(y) : general_.row(y); }
  HWY_INLINE void finish() { is_fast_ ? fast_.finish() : general_.finish(); }

 private:
  bool is_fast_;
  FastMoments<S> fast_;  // only one of them is run, so that they share memory
  GeneralMoments<S> general_;
};

template <typename S>
void moments(const Depthwise& shape, int64_t begin, int64_t end, const S* x,
             const Compute<S>* shift, const bool* fast, double* sums) {
  using T = Compute<S>;
  run_tasks<T, Moments<S>>(shape, begin, end, shape.out_height(), Moments<S>::size(shape),
                           [&](const Strip& strip, T* memory) {
                             const bool is_fast = fast[strip.channel / Depthwise::kBlock];
                             return Moments<S>(shape, strip, x, shift, is_fast, memory, sums);
                           });
}

MOBILEONE_KERNELS(moments)

}  // namespace HWY_NAMESPACE
}  // namespace mobileone::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mobileone::kernels {

MOBILEONE_DISPATCH(moments)

namespace {

/// The difference of two taps' positions, in taps.
struct Offset {
  int64_t y, x;
};

/// The sum over output positions of x[p + i] x[p + j] (taps i ≤ j of a 3×3 kernel) from the fast
/// way's sums of one channel: the sum over the map of x[q] x[q + offset], less the edges at which
/// q = p + i has no output position p.
double product_of_taps(const double* sums, int64_t channels, int64_t i, int64_t j) {
  const auto at = [&](int64_t row) { return sums[row * channels]; };
  const Offset from{i / 3 - 1, i % 3 - 1}, offset{j / 3 - i / 3, j % 3 - i % 3};
  double sum = at(offset.y == 0 ? offset.x : 5 * offset.y + offset.x);
  const bool row_excluded = from.y != 0 && offset.y == 0;
  const bool column_excluded = from.x != 0 && offset.x == 0;
  // An edge's products at a negative column offset are those at the positive one, seen from the
  // other pixel; rows never meet one because i ≤ j.
  if (row_excluded) sum -= at((from.y > 0 ? kFirstRow : kLastRow) + offset.x);
  if (column_excluded) sum -= at((from.x > 0 ? kFirstColumn : kLastColumn) + offset.y);
  if (row_excluded && column_excluded) {
    sum += at(kCorners + (from.y > 0 ? 0 : 2) + (from.x > 0 ? 0 : 1));
  }
  return sum;
}

/// Likewise the sum over output positions of x[p + i].
double sum_of_tap(const double* sums, int64_t channels, int64_t i) {
  const auto at = [&](int64_t row) { return sums[row * channels]; };
  const int64_t y = i / 3 - 1, x = i % 3 - 1;
  double sum = at(kTotal);
  if (y != 0) sum -= at(kEdges + (y > 0 ? 0 : 1));
  if (x != 0) sum -= at(kEdges + (x > 0 ? 2 : 3));
  if (y != 0 && x != 0) sum += at(kCornerValues + (y > 0 ? 0 : 2) + (x > 0 ? 0 : 1));
  return sum;
}

}  // namespace

template <typename S>
void moments(const Depthwise& shape, int64_t begin, int64_t end, const S* x,
             const Compute<S>* shift, const bool* fast, double* sums) {
  best_moments<S>()(shape, begin, end, x, shift, fast, sums);
}

template <typename T>
void finish_moments(const Depthwise& shape, int64_t begin, int64_t end, const T* shift,
                    const bool* fast, const double* sums, double* mean, double* covariance) {
  const int64_t taps = shape.taps(), channels = shape.channels;
  const double count = static_cast<double>(shape.images * shape.out_height() * shape.out_width());
  for (int64_t c = begin; c < end; ++c) {
    const bool by_offset = fast[c / Depthwise::kBlock];
    double* m = mean + c * taps;
    for (int64_t i = 0; i < taps; ++i) {
      m[i] = (by_offset ? sum_of_tap(sums + c, channels, i) : sums[i * channels + c]) / count;
    }
    int64_t row = taps;
    for (int64_t i = 0; i < taps; ++i) {
      for (int64_t j = i; j < taps; ++j, ++row) {
        const double product =
            by_offset ? product_of_taps(sums + c, channels, i, j) : sums[row * channels + c];
        double* entry = covariance + c * taps * taps;
        entry[i * taps + j] = entry[j * taps + i] = product / count - m[i] * m[j];
      }
    }
    for (int64_t i = 0; i < taps && !by_offset; ++i) m[i] += static_cast<double>(shift[c]);
  }
}

#define MOBILEONE_INSTANTIATE(S)                                                         \
  template void moments(const Depthwise&, int64_t, int64_t, const S*, const Compute<S>*, \
                        const bool*, double*);
MOBILEONE_INSTANTIATE(float)
MOBILEONE_INSTANTIATE(double)
MOBILEONE_INSTANTIATE(bfloat16)
#undef MOBILEONE_INSTANTIATE
template void finish_moments(const Depthwise&, int64_t, int64_t, const float*, const bool*,
                             const double*, double*, double*);
template void finish_moments(const Depthwise&, int64_t, int64_t, const double*, const bool*,
                             const double*, double*, double*);

}  // namespace mobileone::kernels
#endif
