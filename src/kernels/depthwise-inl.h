// What the depthwise kernels share, compiled once for each instruction set: strips of channels, the
// window of rows that they read, runs of pixels, and sums.
#if defined(MOBILEONE_KERNELS_DEPTHWISE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef MOBILEONE_KERNELS_DEPTHWISE_INL_H
#undef MOBILEONE_KERNELS_DEPTHWISE_INL_H
#else
#define MOBILEONE_KERNELS_DEPTHWISE_INL_H
#endif

#include <hwy/cache_control.h>

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

#include "mobileone/kernels/depthwise.h"
#include "scratch.h"
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

}  // namespace HWY_NAMESPACE
}  // namespace mobileone::kernels
HWY_AFTER_NAMESPACE();

#endif
