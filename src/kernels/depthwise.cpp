#include "mobileone/kernels/depthwise.h"

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

#include "depthwise_by_offset.h"
#include "depthwise_tables.h"
#include "scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "depthwise.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
// The order matters: Highway compiles what follows once for each instruction set.
#include "vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mobileone::kernels {
namespace HWY_NAMESPACE {

/// Sums stay in the compute type over at least so many positions, then go to double.
inline constexpr int64_t kPositionsPerFlush = 96;

/// One vector of channels of one image.
struct Strip {
  int64_t image, channel;
  size_t count;  ///< channels in it
};

/// Runs the tasks [begin, end): for each, a Worker for every vector of its channels, and their rows
/// in turn, so that memory is read a few cache lines at a time. make(strip, memory) makes a worker
/// with `size` elements of scratch.
template <typename T, typename Worker, typename F>
HWY_INLINE void run_tasks(const Depthwise& shape, int64_t begin, int64_t end, int64_t rows,
                          size_t size, const F& make) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Tag<T>()));
  const size_t strips = static_cast<size_t>((Depthwise::kGroup + lanes - 1) / lanes);
  T* memory = scratch<T>(size * strips);
  std::vector<Worker> workers;
  workers.reserve(strips);
  for (int64_t task = begin; task < end; ++task) {
    const int64_t first = task % shape.groups() * Depthwise::kGroup;
    const int64_t last = std::min(first + Depthwise::kGroup, shape.channels);
    workers.clear();
    for (int64_t c = first; c < last; c += lanes) {
      workers.push_back(
          make(Strip{task / shape.groups(), c, static_cast<size_t>(std::min(lanes, last - c))},
               memory + workers.size() * size));
    }
    for (int64_t y = 0; y < rows; ++y) {
      for (auto& worker : workers) worker.row(y);
    }
    for (auto& worker : workers) worker.finish();
  }
}

/// A few consecutive rows of a strip, one vector a pixel, with columns of padding on both sides
/// and rows of padding above and below: kernels need not know where the image ends. Each row is
/// read from memory once.
template <typename S>
class Window {
 public:
  using T = Compute<S>;

  static size_t size(int64_t rows, int64_t width, int64_t padding) {
    return static_cast<size_t>(rows * (width + 2 * padding)) * hn::Lanes(Tag<T>());
  }

  /// `memory` has size() elements. Values are read less `shift` (a vector; null: 0) and
  /// padding holds −shift.
  /// `images` are the input of `shape`.
  Window(T* memory, int64_t rows, int64_t padding, const S* images, const Depthwise& shape,
         const Strip& strip, const T* shift)
      : memory_(memory),
        rows_(rows),
        lanes_(static_cast<int64_t>(hn::Lanes(Tag<T>()))),
        padding_(padding),
        height_(shape.height),
        width_(shape.width),
        channels_(shape.channels),
        pixels_(images + strip.image * height_ * width_ * channels_ + strip.channel),
        count_(strip.count),
        shift_(shift) {}

  /// Makes rows up to `last` (and the rows − 1 before it) readable; `first` is the topmost that
  /// will ever be read.
  HWY_INLINE void advance(int64_t first, int64_t last) {
    if (next_ == kNothing) next_ = first;
    for (; next_ <= last; ++next_) read(next_);
  }

  /// The vector of column 0 of row y; columns −padding … width + padding − 1 are readable.
  HWY_INLINE const T* row(int64_t y) const { return slot(y) + padding_ * lanes_; }

 private:
  static constexpr int64_t kNothing = INT64_MIN;

  HWY_INLINE T* slot(int64_t y) const {
    return memory_ + (y + rows_ * 64) % rows_ * (width_ + 2 * padding_) * lanes_;
  }

  HWY_INLINE void read(int64_t y) {
    const Tag<T> d;
    T* out = slot(y);
    const auto shift = shift_ != nullptr ? hn::Load(d, shift_) : hn::Zero(d);
    const auto outside = hn::Neg(shift);
    if (y < 0 || y >= height_) {
      for (int64_t x = 0; x < width_ + 2 * padding_; ++x) hn::Store(outside, d, out + x * lanes_);
      return;
    }
    for (int64_t x = 0; x < padding_; ++x) {
      hn::Store(outside, d, out + x * lanes_);
      hn::Store(outside, d, out + (padding_ + width_ + x) * lanes_);
    }
    out += padding_ * lanes_;
    const S* in = pixels_ + y * width_ * channels_;
    const int64_t next = y + 1 < height_ ? width_ * channels_ : 0;
    for (int64_t x = 0; x < width_; ++x) {
      hwy::Prefetch(in + next + x * channels_);
      hn::Store(hn::Sub(load(in + x * channels_, count_), shift), d, out + x * lanes_);
    }
  }

  T* memory_;
  int64_t rows_, lanes_, padding_, height_, width_, channels_;
  const S* pixels_;
  size_t count_;
  const T* shift_;
  int64_t next_ = kNothing;
};

/// sums[b] += Σ_k row[b · kStep + k] · factor[k], for kPixels pixels kStep apart of one row of
/// taps.
template <int kPixels, int kTaps, int kStep = 1, typename T>
HWY_INLINE void correlate(const T* row, const T* factor, int64_t stride_factor,
                          hn::Vec<Tag<T>>* sums) {
  const Tag<T> d;
  const size_t lanes = hn::Lanes(d);
  constexpr int kRead = (kPixels - 1) * kStep + kTaps;
  hn::Vec<Tag<T>> pixels[kRead];
#pragma GCC unroll 32
  for (int i = 0; i < kRead; ++i) pixels[i] = hn::Load(d, row + i * lanes);
#pragma GCC unroll 8
  for (int k = 0; k < kTaps; ++k) {
    const auto f = hn::LoadU(d, factor + k * stride_factor);
#pragma GCC unroll 8
    for (int b = 0; b < kPixels; ++b) sums[b] = hn::MulAdd(pixels[b * kStep + k], f, sums[b]);
  }
}

/// Calls f(n, x) to cover columns begin, begin + step, … below end by runs of n = 8, 4 and 1
/// columns.
template <typename F>
HWY_INLINE void for_runs(int64_t begin, int64_t end, int64_t step, const F& f) {
  int64_t x = begin;
  for (; x + 7 * step < end; x += 8 * step) f(std::integral_constant<int, 8>(), x);
  for (; x + 3 * step < end; x += 4 * step) f(std::integral_constant<int, 4>(), x);
  for (; x < end; x += step) f(std::integral_constant<int, 1>(), x);
}

/// The coefficients of a strip, [rows][lanes] with zeros in lanes beyond the last channel.
template <typename T>
HWY_INLINE void gather(const T* from, int64_t rows, int64_t channels, const Strip& strip, T* to) {
  const Tag<T> d;
  for (int64_t i = 0; i < rows; ++i) {
    hn::Store(load(from + i * channels + strip.channel, strip.count), d, to + i * hn::Lanes(d));
  }
}

/// Sums in registers or scratch that go to double after enough positions.
template <typename T>
class Sums {
 public:
  /// `memory`: rows vectors.
  Sums(T* memory, int64_t rows, double* out, int64_t channels, const Strip& strip)
      : memory_(memory),
        rows_(rows),
        out_(out + strip.channel),
        channels_(channels),
        count_(strip.count) {
    clear();
  }

  T* row(int64_t i) { return memory_ + i * static_cast<int64_t>(hn::Lanes(Tag<T>())); }

  HWY_INLINE void after(int64_t positions) {
    positions_ += positions;
    if (positions_ >= kPositionsPerFlush) flush();
  }

  HWY_INLINE void flush() {
    const Tag<T> d;
    for (int64_t i = 0; i < rows_; ++i) add_to(hn::Load(d, row(i)), out_ + i * channels_, count_);
    clear();
  }

 private:
  HWY_INLINE void clear() {
    const Tag<T> d;
    for (int64_t i = 0; i < rows_; ++i) hn::Store(hn::Zero(d), d, row(i));
    positions_ = 0;
  }

  T* memory_;
  int64_t rows_;
  double* out_;
  int64_t channels_;
  size_t count_;
  int64_t positions_ = 0;
};

/// sums[from + i] += Σ_q x[q] x[q + i steps] for i = 0, 1, 2 over `count` pixels `step` apart;
/// sums[linear] += Σ_q x[q].
template <typename T>
HWY_INLINE void sum_line(const T* first, int64_t step, int64_t count, T* products, T* linear) {
  const Tag<T> d;
  const size_t lanes = hn::Lanes(d);
  auto s0 = hn::Load(d, products), s1 = hn::Load(d, products + lanes),
       s2 = hn::Load(d, products + 2 * lanes), s = hn::Load(d, linear);
  for (int64_t i = 0; i < count; ++i, first += step) {
    const auto v = hn::Load(d, first);
    s = hn::Add(s, v);
    s0 = hn::MulAdd(v, v, s0);
    s1 = hn::MulAdd(v, hn::Load(d, first + step), s1);
    s2 = hn::MulAdd(v, hn::Load(d, first + 2 * step), s2);
  }
  hn::Store(s0, d, products);
  hn::Store(s1, d, products + lanes);
  hn::Store(s2, d, products + 2 * lanes);
  hn::Store(s, d, linear);
}

template <typename S>
class FastMoments {
 public:
  using T = Compute<S>;

  static size_t size(const Depthwise& shape) {
    return kFastRows * hn::Lanes(Tag<T>()) + Window<S>::size(3, shape.width, 2);
  }

  FastMoments(const Depthwise& shape, const Strip& strip, const S* x, T* memory, double* out)
      : height_(shape.height),
        width_(shape.width),
        sums_(memory, kFastRows, out, shape.channels, strip),
        window_(memory + kFastRows * hn::Lanes(Tag<T>()), 3, 2, x, shape, strip, nullptr) {}

  HWY_INLINE void row(int64_t y) {
    const Tag<T> d;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
    window_.advance(0, y + 2);
    const T *r0 = window_.row(y), *r1 = window_.row(y + 1), *r2 = window_.row(y + 2);
    hn::Vec<Tag<T>> s[13], total = hn::Load(d, sums_.row(kTotal));
#pragma GCC unroll 16
    for (int i = 0; i < 13; ++i) s[i] = hn::Load(d, sums_.row(kOffsets + i));
    for (int64_t i = 0; i < width_ * lanes; i += lanes) {
      const auto v = hn::Load(d, r0 + i);
      total = hn::Add(total, v);
      s[0] = hn::MulAdd(v, v, s[0]);
      s[1] = hn::MulAdd(v, hn::Load(d, r0 + i + lanes), s[1]);
      s[2] = hn::MulAdd(v, hn::Load(d, r0 + i + 2 * lanes), s[2]);
#pragma GCC unroll 8
      for (int k = 0; k < 5; ++k) {
        s[3 + k] = hn::MulAdd(v, hn::Load(d, r1 + i + (k - 2) * lanes), s[3 + k]);
        s[8 + k] = hn::MulAdd(v, hn::Load(d, r2 + i + (k - 2) * lanes), s[8 + k]);
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < 13; ++i) hn::Store(s[i], d, sums_.row(kOffsets + i));
    hn::Store(total, d, sums_.row(kTotal));
    if (y == 0) sum_line(r0, lanes, width_, sums_.row(kFirstRow), sums_.row(kEdges));
    if (y == height_ - 1) sum_line(r0, lanes, width_, sums_.row(kLastRow), sums_.row(kEdges + 1));
    for (int side = 0; side < 2; ++side) add_edge(y, side, r0, r1, r2);
    sums_.after(width_);
  }

  HWY_INLINE void finish() { sums_.flush(); }

 private:
  /// The first or last pixel of row y.
  HWY_INLINE void add_edge(int64_t y, int side, const T* r0, const T* r1, const T* r2) {
    const Tag<T> d;
    const int64_t at = side == 0 ? 0 : (width_ - 1) * static_cast<int64_t>(hn::Lanes(d));
    const auto v = hn::Load(d, r0 + at);
    const auto add = [&](int row, hn::Vec<Tag<T>> value) {
      hn::Store(hn::Add(hn::Load(d, sums_.row(row)), value), d, sums_.row(row));
    };
    const int column = side == 0 ? kFirstColumn : kLastColumn;
    add(column, hn::Mul(v, v));
    add(column + 1, hn::Mul(v, hn::Load(d, r1 + at)));
    add(column + 2, hn::Mul(v, hn::Load(d, r2 + at)));
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

  int64_t height_, width_;
  Sums<T> sums_;
  Window<S> window_;
};

/// products[j] += Σ a · b_j over `count` positions, for kTaps pointers b.
template <int kTaps, typename T>
HWY_INLINE void sum_products(const T* a, int64_t step_a, const T* const* b, int64_t step_b,
                             int64_t count, T* products) {
  const Tag<T> d;
  const size_t lanes = hn::Lanes(d);
  hn::Vec<Tag<T>> s[kTaps];
#pragma GCC unroll 16
  for (int j = 0; j < kTaps; ++j) s[j] = hn::Load(d, products + j * lanes);
  for (int64_t i = 0; i < count; ++i) {
    const auto v = hn::Load(d, a + i * step_a);
#pragma GCC unroll 16
    for (int j = 0; j < kTaps; ++j) s[j] = hn::MulAdd(v, hn::Load(d, b[j] + i * step_b), s[j]);
  }
#pragma GCC unroll 16
  for (int j = 0; j < kTaps; ++j) hn::Store(s[j], d, products + j * lanes);
}

template <typename T>
HWY_INLINE void sum_products(int64_t taps, const T* a, int64_t step_a, const T* const* b,
                             int64_t step_b, int64_t count, T* products) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Tag<T>()));
  int64_t j = 0;
  const auto some = [&](auto number) {
    for (; j + number.value <= taps; j += number.value) {
      sum_products<number.value>(a, step_a, b + j, step_b, count, products + j * lanes);
    }
  };
  some(std::integral_constant<int, 9>());
  some(std::integral_constant<int, 4>());
  some(std::integral_constant<int, 1>());
}

inline constexpr int64_t kMostTaps = 49;

/// Pointers to the first pixel of each tap of a row of patches whose first tap is at (top,
/// −padding).
template <typename S>
HWY_INLINE void tap_rows(const Depthwise& shape, const Window<S>& window, int64_t top,
                         const Compute<S>** taps) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Tag<Compute<S>>()));
  for (int64_t i = 0; i < shape.taps(); ++i) {
    taps[i] = window.row(top + i / shape.kernel * shape.dilation) +
              (i % shape.kernel * shape.dilation - shape.padding()) * lanes;
  }
}

template <typename S>
class GeneralMoments {
 public:
  using T = Compute<S>;

  static size_t size(const Depthwise& shape) {
    return static_cast<size_t>(shape.moment_rows() + 1) * hn::Lanes(Tag<T>()) +
           Window<S>::size(shape.window_rows(), shape.width, shape.padding());
  }

  GeneralMoments(const Depthwise& shape, const Strip& strip, const S* x, const T* shift, T* memory,
                 double* out)
      : shape_(shape),
        sums_(memory, shape.moment_rows(), out, shape.channels, strip),
        shift_(memory + shape.moment_rows() * hn::Lanes(Tag<T>())),
        window_(shift_ + hn::Lanes(Tag<T>()), shape.window_rows(), shape.padding(), x, shape, strip,
                shift_) {
    gather(shift, 1, shape.channels, strip, shift_);
  }

  HWY_INLINE void row(int64_t y) {
    const Tag<T> d;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), taps = shape_.taps(),
                  step = shape_.stride * lanes, top = y * shape_.stride - shape_.padding();
    window_.advance(-shape_.padding(), top + 2 * shape_.padding());
    const T* tap[kMostTaps];
    tap_rows(shape_, window_, top, tap);
    T* products = sums_.row(taps);
    for (int64_t i = 0; i < taps; ++i) {
      auto sum = hn::Load(d, sums_.row(i));
      for (int64_t p = 0; p < shape_.out_width(); ++p) {
        sum = hn::Add(sum, hn::Load(d, tap[i] + p * step));
      }
      hn::Store(sum, d, sums_.row(i));
      sum_products(taps - i, tap[i], step, tap + i, step, shape_.out_width(), products);
      products += (taps - i) * lanes;
    }
    sums_.after(shape_.out_width());
  }

  HWY_INLINE void finish() { sums_.flush(); }

 private:
  const Depthwise& shape_;
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

template <typename S>
class Convolution {
 public:
  using T = Compute<S>;

  static size_t size(const Depthwise& shape) {
    return static_cast<size_t>(shape.taps() + 1) * hn::Lanes(Tag<T>()) +
           Window<S>::size(shape.window_rows(), shape.width, shape.padding());
  }

  Convolution(const Depthwise& shape, const Strip& strip, const S* x, const T* weight,
              const T* bias, bool relu, S* y, T* memory)
      : shape_(shape),
        factors_(memory),
        window_(memory + (shape.taps() + 1) * hn::Lanes(Tag<T>()), shape.window_rows(),
                shape.padding(), x, shape, strip, nullptr),
        out_(y + strip.image * shape.out_height() * shape.out_width() * shape.channels +
             strip.channel),
        count_(strip.count),
        relu_(relu) {
    gather(weight, shape.taps(), shape.channels, strip, factors_);
    gather(bias, 1, shape.channels, strip, factors_ + shape.taps() * hn::Lanes(Tag<T>()));
  }

  HWY_INLINE void row(int64_t oy) {
    const Tag<T> d;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), kernel = shape_.kernel,
                  padding = shape_.padding(), top = oy * shape_.stride - padding;
    window_.advance(-padding, top + 2 * padding);
    S* out = out_ + oy * shape_.out_width() * shape_.channels;
    const auto bias = hn::Load(d, factors_ + shape_.taps() * lanes);
    if (shape_.has_fast_path()) {
      const T *r0 = window_.row(top), *r1 = window_.row(top + 1), *r2 = window_.row(top + 2);
      for_runs(0, shape_.width, 1, [&](auto run, int64_t ox) {
        constexpr int kRun = decltype(run)::value;
        hn::Vec<Tag<T>> sums[kRun];
#pragma GCC unroll 8
        for (int b = 0; b < kRun; ++b) sums[b] = bias;
        const int64_t at = (ox - 1) * lanes;
        correlate<kRun, 3>(r0 + at, factors_, lanes, sums);
        correlate<kRun, 3>(r1 + at, factors_ + 3 * lanes, lanes, sums);
        correlate<kRun, 3>(r2 + at, factors_ + 6 * lanes, lanes, sums);
#pragma GCC unroll 8
        for (int b = 0; b < kRun; ++b) finish_pixel(sums[b], out + (ox + b) * shape_.channels);
      });
      return;
    }
    for (int64_t ox = 0; ox < shape_.out_width(); ++ox) {
      auto sum = bias;
      const T* factor = factors_;
      for (int64_t ky = 0; ky < kernel; ++ky) {
        const T* row =
            window_.row(top + ky * shape_.dilation) + (ox * shape_.stride - padding) * lanes;
        for (int64_t kx = 0; kx < kernel; ++kx, factor += lanes) {
          sum =
              hn::MulAdd(hn::Load(d, row + kx * shape_.dilation * lanes), hn::Load(d, factor), sum);
        }
      }
      finish_pixel(sum, out + ox * shape_.channels);
    }
  }

  void finish() {}

 private:
  HWY_INLINE void finish_pixel(hn::Vec<Tag<T>> sum, S* out) const {
    // As torch's ReLU: a NaN stays one.
    if (relu_) sum = hn::IfThenZeroElse(hn::Lt(sum, hn::Zero(Tag<T>())), sum);
    store(sum, out, count_);
  }

  const Depthwise& shape_;
  T* factors_;
  Window<S> window_;
  S* out_;
  size_t count_;
  bool relu_;
};

template <typename S>
void convolve(const Depthwise& shape, int64_t begin, int64_t end, const S* x,
              const Compute<S>* weight, const Compute<S>* bias, bool relu, S* y) {
  using T = Compute<S>;
  run_tasks<T, Convolution<S>>(shape, begin, end, shape.out_height(), Convolution<S>::size(shape),
                               [&](const Strip& strip, T* memory) {
                                 return Convolution<S>(shape, strip, x, weight, bias, relu, y,
                                                       memory);
                               });
}

template <typename S>
class WeightGradient {
 public:
  using T = Compute<S>;

  static size_t size(const Depthwise& shape) {
    return static_cast<size_t>(shape.taps() + 1 + shape.out_width()) * hn::Lanes(Tag<T>()) +
           Window<S>::size(shape.window_rows(), shape.width, shape.padding());
  }

  WeightGradient(const Depthwise& shape, const Strip& strip, const S* x, const S* y, S* g,
                 T* memory, double* out)
      : shape_(shape),
        sums_(memory, shape.taps() + 1, out, shape.channels, strip),
        masked_(memory + (shape.taps() + 1) * hn::Lanes(Tag<T>())),
        window_(masked_ + shape.out_width() * hn::Lanes(Tag<T>()), shape.window_rows(),
                shape.padding(), x, shape, strip, nullptr),
        count_(strip.count) {
    const int64_t at =
        strip.image * shape.out_height() * shape.out_width() * shape.channels + strip.channel;
    g_ = g + at;
    y_ = y != nullptr ? y + at : nullptr;
  }

  HWY_INLINE void row(int64_t oy) {
    const Tag<T> d;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), out_width = shape_.out_width(),
                  top = oy * shape_.stride - shape_.padding();
    window_.advance(-shape_.padding(), top + 2 * shape_.padding());
    auto sum = hn::Load(d, sums_.row(shape_.taps()));
    for (int64_t ox = 0; ox < out_width; ++ox) {
      const int64_t at = (oy * out_width + ox) * shape_.channels;
      hwy::Prefetch(g_ + at + out_width * shape_.channels);
      auto value = load(g_ + at, count_);
      if (y_ != nullptr) {
        hwy::Prefetch(y_ + at + out_width * shape_.channels);
        value = hn::IfThenZeroElse(hn::Le(load(y_ + at, count_), hn::Zero(d)), value);
        store(value, g_ + at, count_);
      }
      sum = hn::Add(sum, value);
      hn::Store(value, d, masked_ + ox * lanes);
    }
    hn::Store(sum, d, sums_.row(shape_.taps()));
    const T* tap[kMostTaps];
    tap_rows(shape_, window_, top, tap);
    sum_products(shape_.taps(), masked_, lanes, tap, shape_.stride * lanes, out_width,
                 sums_.row(0));
    sums_.after(out_width);
  }

  HWY_INLINE void finish() { sums_.flush(); }

 private:
  const Depthwise& shape_;
  Sums<T> sums_;
  T* masked_;
  Window<S> window_;
  size_t count_;
  S* g_;
  const S* y_;
};

template <typename S>
void backward_weight(const Depthwise& shape, int64_t begin, int64_t end, const S* x, const S* y,
                     S* g, double* sums) {
  using T = Compute<S>;
  run_tasks<T, WeightGradient<S>>(shape, begin, end, shape.out_height(),
                                  WeightGradient<S>::size(shape),
                                  [&](const Strip& strip, T* memory) {
                                    return WeightGradient<S>(shape, strip, x, y, g, memory, sums);
                                  });
}

/// 3×3 without dilation: a correlation of x by offset and one of g with the turned kernel. With
/// stride 2 a pixel's parity says which taps see it, and pixels of a row two apart are alike.
template <typename S, int kStride>
class FastInputGradient {
 public:
  using T = Compute<S>;

  static size_t size(const Depthwise& shape) {
    return 9 * hn::Lanes(Tag<T>()) + Window<S>::size(5, shape.width, 2) +
           Window<S>::size(3, shape.out_width(), 1);
  }

  FastInputGradient(const Depthwise& shape, const Strip& strip, const S* x, const S* g,
                    const InputGradient<T>& gradient, S* dx, T* memory)
      : shape_(shape),
        strip_(strip),
        by_offset_(gradient.by_offset),
        turned_(memory),
        window_(memory + 9 * hn::Lanes(Tag<T>()), 5, 2, x, shape, strip, nullptr),
        gradients_(memory + 9 * hn::Lanes(Tag<T>()) + Window<S>::size(5, shape.width, 2), 3, 1, g,
                   output_of(shape), strip, nullptr),
        out_(dx + strip.image * shape.height * shape.width * shape.channels + strip.channel) {
    for (int64_t i = 0; i < 9; ++i) {
      gather(gradient.weight + (8 - i) * shape.channels, 1, shape.channels, strip,
             turned_ + i * static_cast<int64_t>(hn::Lanes(Tag<T>())));
    }
  }

  HWY_INLINE void row(int64_t y) {
    const int64_t last = shape_.width - 1;
    window_.advance(-2, y + 2);
    gradients_.advance(-1, (y + 1) / kStride);
    const int rows = tap_mask(y, shape_.out_height(), kStride);
    const auto one = std::integral_constant<int, 1>();
    if constexpr (kStride == 1) {
      pixels<5, 5>(one, y, 0, rows);
      for_runs(1, last, 1, [&](auto run, int64_t x) { pixels<5, 5>(run, y, x, rows); });
      if (last > 0) pixels<5, 5>(one, y, last, rows);
    } else if (y % 2 == 0) {
      for_runs(0, last + 1, 2, [&](auto run, int64_t x) { pixels<3, 3>(run, y, x, rows); });
      for_runs(1, last, 2, [&](auto run, int64_t x) { pixels<3, 5>(run, y, x, rows); });
      if (last % 2 == 1) pixels<3, 5>(one, y, last, rows);
    } else {
      for_runs(0, last + 1, 2, [&](auto run, int64_t x) { pixels<5, 3>(run, y, x, rows); });
      for_runs(1, last, 2, [&](auto run, int64_t x) { pixels<5, 5>(run, y, x, rows); });
      if (last % 2 == 1) pixels<5, 5>(one, y, last, rows);
    }
  }

  void finish() {}

 private:
  static Depthwise output_of(const Depthwise& shape) {
    Depthwise output = shape;
    output.height = shape.out_height(), output.width = shape.out_width();
    return output;
  }

  /// A run of pixels kStride apart from (y,x), all of one kind, whose patches reach over kRows rows
  /// and kColumns columns of x.
  template <int kRows, int kColumns, typename Run>
  HWY_INLINE void pixels(Run, int64_t y, int64_t x, int row_mask) const {
    constexpr int kRun = Run::value;
    // Rows and columns of g that see a pixel, and where in the turned kernel they begin.
    constexpr bool kOddRow = kStride == 2 && kRows == 5, kOddColumn = kStride == 2 && kColumns == 5;
    constexpr int kGradientRows = kStride == 1 ? 3
                                  : kOddRow    ? 2
                                               : 1,
                  kGradientColumns = kStride == 1 ? 3
                                     : kOddColumn ? 2
                                                  : 1,
                  kFirstRow = kStride == 1 || kOddRow ? 0 : 1,
                  kFirstColumn = kStride == 1 || kOddColumn ? 0 : 1;
    const Tag<T> d;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
    constexpr int64_t kBlock = Depthwise::kBlock;
    const int column_mask = tap_mask(x, shape_.out_width(), kStride);
    const T* factors =
        by_offset_ + factors_at(strip_.channel, kind_of_pixel(row_mask, column_mask));
    hn::Vec<Tag<T>> sums[kRun], more[kRun];
    const auto constant = hn::LoadU(d, factors + 25 * kBlock);
#pragma GCC unroll 8
    for (int b = 0; b < kRun; ++b) sums[b] = constant, more[b] = hn::Zero(d);
#pragma GCC unroll 8
    for (int k = 0; k < kRows; ++k) {
      const int from = k + (5 - kRows) / 2, first = (5 - kColumns) / 2;
      // Short runs would wait for one chain of sums.
      correlate<kRun, kColumns, kStride>(window_.row(y + from - 2) + (x + first - 2) * lanes,
                                         factors + (5 * from + first) * kBlock, kBlock,
                                         kRun < 8 && k % 2 == 1 ? more : sums);
    }
#pragma GCC unroll 8
    for (int k = 0; k < kGradientRows; ++k) {
      const int64_t row = kStride == 1 ? y + k - 1 : (y - (kOddRow ? 1 : 0)) / 2 + k,
                    column = kStride == 1 ? x - 1 : (x - (kOddColumn ? 1 : 0)) / 2;
      correlate<kRun, kGradientColumns>(
          gradients_.row(row) + column * lanes,
          turned_ + (3 * (kFirstRow + kStride * k) + kFirstColumn) * lanes, kStride * lanes,
          kRun < 8 ? more : sums);
    }
    S* out = out_ + (y * shape_.width + x) * shape_.channels;
#pragma GCC unroll 8
    for (int b = 0; b < kRun; ++b) {
      if constexpr (kRun < 8) sums[b] = hn::Add(sums[b], more[b]);
      store(sums[b], out + b * kStride * shape_.channels, strip_.count);
    }
  }

  const Depthwise& shape_;
  Strip strip_;
  const T* by_offset_;
  T* turned_;
  Window<S> window_, gradients_;
  S* out_;
};

/// Any stride, kernel and dilation: for each pixel, the patches that see it. Pixels of a row that
/// lie a stride apart are seen by the same taps; a run of them shares their factors.
template <typename S>
class GeneralInputGradient {
 public:
  using T = Compute<S>;

  static size_t size(const Depthwise& shape) {
    return static_cast<size_t>((2 + shape.taps()) * shape.taps()) * hn::Lanes(Tag<T>()) +
           Window<S>::size(4 * shape.padding() + 1, shape.width, shape.padding());
  }

  GeneralInputGradient(const Depthwise& shape, const Strip& strip, const S* x, const S* g,
                       const InputGradient<T>& gradient, S* dx, T* memory)
      : shape_(shape),
        strip_(strip),
        weight_(memory),
        constant_(weight_ + shape.taps() * hn::Lanes(Tag<T>())),
        product_(constant_ + shape.taps() * hn::Lanes(Tag<T>())),
        window_(product_ + shape.taps() * shape.taps() * hn::Lanes(Tag<T>()),
                4 * shape.padding() + 1, shape.padding(), x, shape, strip, nullptr),
        gradients_(g + strip.image * shape.out_height() * shape.out_width() * shape.channels +
                   strip.channel),
        out_(dx + strip.image * shape.height * shape.width * shape.channels + strip.channel) {
    gather(gradient.weight, shape.taps(), shape.channels, strip, weight_);
    gather(gradient.e, shape.taps(), shape.channels, strip, constant_);
    gather(gradient.d, shape.taps() * shape.taps(), shape.channels, strip, product_);
  }

  HWY_INLINE void row(int64_t y) {
    window_.advance(-shape_.padding(),
                    std::min(y + 2 * shape_.padding(), shape_.height - 1 + shape_.padding()));
    for (int64_t first = 0; first < std::min(shape_.stride, shape_.width); ++first) {
      const int64_t count = (shape_.width - first + shape_.stride - 1) / shape_.stride;
      constexpr int kRun = 8;
      int64_t i = 0;
      while (i < count) {
        const int64_t x = first + i * shape_.stride;
        if (i + kRun <= count && same_taps(x, kRun)) {
          pixels<kRun>(y, x);
          i += kRun;
        } else {
          pixels<1>(y, x);
          ++i;
        }
      }
    }
  }

  void finish() {}

 private:
  /// The column of the patch of which column x is tap kx: whether it is an output at all for a
  /// stride (`on_grid`), and which.
  struct PatchColumn {
    bool on_grid;
    int64_t index;
  };
  HWY_INLINE PatchColumn patch_of(int64_t x, int64_t tap) const {
    const int64_t left = x - tap * shape_.dilation + shape_.padding();
    const int64_t index =
        left >= 0 ? left / shape_.stride : -((-left + shape_.stride - 1) / shape_.stride);
    return {index * shape_.stride == left, index};
  }
  HWY_INLINE bool is_output(const PatchColumn& patch, int64_t size) const {
    return patch.on_grid && patch.index >= 0 && patch.index < size;
  }

  /// Whether each tap that sees column x sees all `run` columns a stride apart, or none of them.
  HWY_INLINE bool same_taps(int64_t x, int64_t run) const {
    for (int64_t kx = 0; kx < shape_.kernel; ++kx) {
      const PatchColumn patch = patch_of(x, kx);
      if (!patch.on_grid) continue;
      const bool first = patch.index >= 0 && patch.index < shape_.out_width();
      const int64_t end = patch.index + run - 1;
      const bool last = end >= 0 && end < shape_.out_width();
      if (first != last) return false;
    }
    return true;
  }

  template <int kRun>
  HWY_INLINE void pixels(int64_t y, int64_t x) const {
    const Tag<T> d;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), kernel = shape_.kernel,
                  stride = shape_.stride, dilation = shape_.dilation;
    hn::Vec<Tag<T>> sums[kRun];
#pragma GCC unroll 8
    for (int b = 0; b < kRun; ++b) sums[b] = hn::Zero(d);
    for (int64_t ky = 0; ky < kernel; ++ky) {
      const PatchColumn patch_row = patch_of(y, ky);
      if (!is_output(patch_row, shape_.out_height())) continue;
      for (int64_t kx = 0; kx < kernel; ++kx) {
        const PatchColumn patch = patch_of(x, kx);
        if (!is_output(patch, shape_.out_width())) continue;
        const int64_t tap = ky * kernel + kx, top = y - ky * dilation, left = x - kx * dilation;
        const auto constant = hn::Load(d, constant_ + tap * lanes),
                   weight = hn::Load(d, weight_ + tap * lanes);
        const S* g =
            gradients_ + (patch_row.index * shape_.out_width() + patch.index) * shape_.channels;
#pragma GCC unroll 8
        for (int b = 0; b < kRun; ++b) {
          sums[b] = hn::Add(sums[b], constant);
          sums[b] = hn::MulAdd(load(g + b * shape_.channels, strip_.count), weight, sums[b]);
        }
        const T* factor = product_ + tap * shape_.taps() * lanes;
        for (int64_t jy = 0; jy < kernel; ++jy) {
          const T* row = window_.row(top + jy * dilation) + left * lanes;
          for (int64_t jx = 0; jx < kernel; ++jx, factor += lanes) {
            const auto f = hn::Load(d, factor);
            const T* pixel = row + jx * dilation * lanes;
#pragma GCC unroll 8
            for (int b = 0; b < kRun; ++b) {
              sums[b] = hn::MulAdd(hn::Load(d, pixel + b * stride * lanes), f, sums[b]);
            }
          }
        }
      }
    }
    S* out = out_ + (y * shape_.width + x) * shape_.channels;
#pragma GCC unroll 8
    for (int b = 0; b < kRun; ++b) {
      store(sums[b], out + b * stride * shape_.channels, strip_.count);
    }
  }

  const Depthwise& shape_;
  Strip strip_;
  T *weight_, *constant_, *product_;
  Window<S> window_;
  const S* gradients_;
  S* out_;
};

template <typename S>
void backward_input(const Depthwise& shape, int64_t begin, int64_t end, const S* x, const S* g,
                    const InputGradient<Compute<S>>& gradient, S* dx) {
  using T = Compute<S>;
  const auto run = [&](auto worker) {
    using Worker = typename decltype(worker)::type;
    run_tasks<T, Worker>(shape, begin, end, shape.height, Worker::size(shape),
                         [&](const Strip& strip, T* memory) {
                           return Worker(shape, strip, x, g, gradient, dx, memory);
                         });
  };
  if (gradient.by_offset != nullptr && shape.stride == 1) {
    run(std::common_type<FastInputGradient<S, 1>>());
  } else if (gradient.by_offset != nullptr) {
    run(std::common_type<FastInputGradient<S, 2>>());
  } else {
    run(std::common_type<GeneralInputGradient<S>>());
  }
}

template <typename S>
DepthwiseKernels<S> depthwise_kernels() {
  return {moments<S>, convolve<S>, backward_weight<S>, backward_input<S>};
}
DepthwiseKernels<float> depthwise_float() { return depthwise_kernels<float>(); }
DepthwiseKernels<double> depthwise_double() { return depthwise_kernels<double>(); }
DepthwiseKernels<bfloat16> depthwise_bfloat16() { return depthwise_kernels<bfloat16>(); }

}  // namespace HWY_NAMESPACE
}  // namespace mobileone::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mobileone::kernels {
namespace {

HWY_EXPORT(depthwise_float);
HWY_EXPORT(depthwise_double);
HWY_EXPORT(depthwise_bfloat16);

/// The functions of the best instruction set that this machine has.
template <typename S>
DepthwiseKernels<S> best() {
  if constexpr (std::is_same_v<S, float>) return HWY_DYNAMIC_DISPATCH(depthwise_float)();
  if constexpr (std::is_same_v<S, double>) return HWY_DYNAMIC_DISPATCH(depthwise_double)();
  if constexpr (std::is_same_v<S, bfloat16>) return HWY_DYNAMIC_DISPATCH(depthwise_bfloat16)();
}

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
  best<S>().moments(shape, begin, end, x, shift, fast, sums);
}

template <typename S>
void convolve(const Depthwise& shape, int64_t begin, int64_t end, const S* x,
              const Compute<S>* weight, const Compute<S>* bias, bool relu, S* y) {
  best<S>().convolve(shape, begin, end, x, weight, bias, relu, y);
}

template <typename S>
void backward_weight(const Depthwise& shape, int64_t begin, int64_t end, const S* x, const S* y,
                     S* g, double* sums) {
  best<S>().backward_weight(shape, begin, end, x, y, g, sums);
}

template <typename S>
void backward_input(const Depthwise& shape, int64_t begin, int64_t end, const S* x, const S* g,
                    const InputGradient<Compute<S>>& gradient, S* dx) {
  best<S>().backward_input(shape, begin, end, x, g, gradient, dx);
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

template <typename T>
void sum_by_offset(const Depthwise& shape, int64_t begin, int64_t end, const T* d, const T* e,
                   T* by_offset) {
  for (int64_t block = begin; block < end; ++block) {
    const int64_t channel = block * Depthwise::kBlock,
                  count = std::min(Depthwise::kBlock, shape.channels - channel);
    for (int64_t kind = 0; kind < Depthwise::kPixelKinds; ++kind) {
      sum_factors(shape, channel, count, kind, d, e, by_offset);
    }
  }
}

#define MOBILEONE_INSTANTIATE(S)                                                            \
  template void moments(const Depthwise&, int64_t, int64_t, const S*, const Compute<S>*,    \
                        const bool*, double*);                                              \
  template void convolve(const Depthwise&, int64_t, int64_t, const S*, const Compute<S>*,   \
                         const Compute<S>*, bool, S*);                                      \
  template void backward_weight(const Depthwise&, int64_t, int64_t, const S*, const S*, S*, \
                                double*);                                                   \
  template void backward_input(const Depthwise&, int64_t, int64_t, const S*, const S*,      \
                               const InputGradient<Compute<S>>&, S*);
MOBILEONE_INSTANTIATE(float)
MOBILEONE_INSTANTIATE(double)
MOBILEONE_INSTANTIATE(bfloat16)
#undef MOBILEONE_INSTANTIATE

template void finish_moments(const Depthwise&, int64_t, int64_t, const float*, const bool*,
                             const double*, double*, double*);
template void finish_moments(const Depthwise&, int64_t, int64_t, const double*, const bool*,
                             const double*, double*, double*);
template void sum_by_offset(const Depthwise&, int64_t, int64_t, const float*, const float*, float*);
template void sum_by_offset(const Depthwise&, int64_t, int64_t, const double*, const double*,
                            double*);

}  // namespace mobileone::kernels
#endif
