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
#include <bit>
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

/// Elements of a vector, and channels of a strip: a cache line of them, so that a row of a map is
/// read a line at a time.
template <typename T>
inline constexpr int64_t kLanes = hn::MaxLanes(Tag<T>());
template <typename T>
inline constexpr int64_t kStrip = std::max<int64_t>(64 / sizeof(T), kLanes<T>);

/// A cache line of channels of one image.
struct Strip {
  int64_t image, channel;
  int64_t count;  ///< channels in it
};

/// Calls f(at, count) for each vector of a strip: its first channel in the strip, and how many
/// channels there are from there on.
template <typename T, typename F>
HWY_INLINE void for_vectors(int64_t channels, const F& f) {
  for (int64_t at = 0; at < channels; at += kLanes<T>) f(at, static_cast<size_t>(channels - at));
}

/// Runs the tasks [begin, end): for each, a Worker for every strip of its channels, and their rows
/// in turn. make(strip, memory) makes a worker with `size` elements of scratch.
template <typename T, typename Worker, typename F>
HWY_INLINE void run_tasks(const Depthwise& shape, int64_t begin, int64_t end, int64_t rows,
                          size_t size, const F& make) {
  constexpr size_t kStrips = (Depthwise::kGroup + kStrip<T> - 1) / kStrip<T>;
  T* memory = scratch<T>(size * kStrips);
  std::vector<Worker> workers;
  workers.reserve(kStrips);
  for (int64_t task = begin; task < end; ++task) {
    const int64_t first = task % shape.groups() * Depthwise::kGroup;
    const int64_t last = std::min(first + Depthwise::kGroup, shape.channels);
    workers.clear();
    for (int64_t c = first; c < last; c += kStrip<T>) {
      workers.push_back(make(Strip{task / shape.groups(), c, std::min(kStrip<T>, last - c)},
                             memory + workers.size() * size));
    }
    for (int64_t y = 0; y < rows; ++y) {
      for (auto& worker : workers) worker.row(y);
    }
    for (auto& worker : workers) worker.finish();
  }
}

/// A few consecutive rows of a strip, one strip a pixel, with columns of padding on both sides
/// and rows of padding above and below: kernels need not know where the image ends. Each row is
/// read from memory once.
template <typename S>
class Window {
 public:
  using T = Compute<S>;

  static constexpr size_t size(int64_t rows, int64_t width, int64_t padding) {
    return static_cast<size_t>(slots(rows) * (width + 2 * padding) * kStrip<T>);
  }

  /// `memory` has size() elements. Values are read less `shift` (a strip; null: 0) and padding
  /// holds −shift. `images` are the input of `shape`.
  Window(T* memory, int64_t rows, int64_t padding, const S* images, const Depthwise& shape,
         const Strip& strip, const T* shift)
      : memory_(memory),
        last_slot_(slots(rows) - 1),
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

  /// The strip of column 0 of row y; columns −padding … width + padding − 1 are readable.
  HWY_INLINE const T* row(int64_t y) const { return slot(y) + padding_ * kStrip<T>; }

 private:
  static constexpr int64_t kNothing = INT64_MIN;
  static constexpr int kVectors = kStrip<T> / kLanes<T>;

  /// A power of two, since rows are found many times a row, and dividing takes longer than a pixel.
  static constexpr int64_t slots(int64_t rows) {
    return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(rows)));
  }

  HWY_INLINE T* slot(int64_t y) const {
    return memory_ + (y & last_slot_) * (width_ + 2 * padding_) * kStrip<T>;
  }

  /// Writes the negative shift at `pixels` pixels.
  HWY_INLINE void pad(int64_t pixels, T* out) const {
    const Tag<T> d;
    unroll<kVectors>([&](auto v) MOBILEONE_INLINE {
      const auto outside =
          shift_ != nullptr ? hn::Neg(hn::Load(d, shift_ + v * kLanes<T>)) : hn::Zero(d);
      for (int64_t x = 0; x < pixels; ++x) {
        hn::Store(outside, d, out + x * kStrip<T> + v * kLanes<T>);
      }
    });
  }

  HWY_INLINE void read(int64_t y) {
    const Tag<T> d;
    T* out = slot(y);
    if (y < 0 || y >= height_) return pad(width_ + 2 * padding_, out);
    pad(padding_, out);
    pad(padding_, out + (padding_ + width_) * kStrip<T>);
    out += padding_ * kStrip<T>;
    // Copies, since what is written might otherwise be this window's members.
    const S* in = pixels_ + y * width_ * channels_;
    const int64_t width = width_, channels = channels_, count = count_,
                  next = y + 1 < height_ ? width * channels : 0;
    Vector<T> shift[kVectors];
    unroll<kVectors>([&](auto v) MOBILEONE_INLINE {
      shift[v] = shift_ != nullptr ? hn::Load(d, shift_ + v * kLanes<T>) : hn::Zero(d);
    });
    const auto copy = [&](auto load_vector) MOBILEONE_INLINE {
      for (int64_t x = 0; x < width; ++x, in += channels, out += kStrip<T>) {
        hwy::Prefetch(in + next);
        unroll<kVectors>([&](auto v) MOBILEONE_INLINE {
          hn::Store(hn::Sub(load_vector(v), shift[v]), d, out + v * kLanes<T>);
        });
      }
    };
    if (HWY_LIKELY(count == kStrip<T>)) {
      copy([&](auto v) MOBILEONE_INLINE { return load(in + v * kLanes<T>, kLanes<T>); });
    } else {
      copy([&](auto v) MOBILEONE_INLINE {
        const int64_t left = count - v * kLanes<T>;
        return left > 0 ? load(in + v * kLanes<T>, static_cast<size_t>(left)) : hn::Zero(d);
      });
    }
  }

  T* memory_;
  int64_t last_slot_, padding_, height_, width_, channels_;
  const S* pixels_;
  int64_t count_;
  const T* shift_;
  int64_t next_ = kNothing;
};

/// sums[b] += Σ_k row[b · kStep + k] · factor[k], for kPixels pixels kStep apart of one row of
/// taps. Factors stay in registers and each pixel is loaded once.
template <int kPixels, int kTaps, int kStep = 1, typename T>
HWY_INLINE void correlate(const T* row, const T* factor, int64_t stride_factor,
                          Vector<T> (&sums)[kPixels]) {
  const Tag<T> d;
  Vector<T> factors[kTaps];
  unroll<kTaps>([&](auto k)
                    MOBILEONE_INLINE { factors[k] = hn::LoadU(d, factor + k * stride_factor); });
  unroll<(kPixels - 1) * kStep + kTaps>([&](auto i) MOBILEONE_INLINE {
    const auto pixel = hn::Load(d, row + i * kStrip<T>);
    unroll<kPixels>([&](auto b) MOBILEONE_INLINE {
      constexpr int k = decltype(i)::value - decltype(b)::value * kStep;
      if constexpr (k >= 0 && k < kTaps) sums[b] = hn::MulAdd(pixel, factors[k], sums[b]);
    });
  });
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

/// The coefficients of a strip, [rows][kStrip] with zeros beyond the last channel.
template <typename T>
HWY_INLINE void gather(const T* from, int64_t rows, int64_t channels, const Strip& strip, T* to) {
  for (int64_t i = 0; i < rows; ++i, to += kStrip<T>) {
    const T* row = from + i * channels + strip.channel;
    std::fill(std::copy_n(row, strip.count, to), to + kStrip<T>, T(0));
  }
}

/// Sums of a strip in scratch that go to double after enough positions.
template <typename T>
class Sums {
 public:
  /// `memory`: [rows][kStrip]; the last `rare` rows are sums over few positions.
  Sums(T* memory, int64_t rows, double* out, int64_t channels, const Strip& strip, int64_t rare = 0)
      : memory_(memory),
        rows_(rows),
        often_(rows - rare),
        out_(out + strip.channel),
        channels_(channels),
        count_(strip.count) {
    std::fill_n(memory, rows * kStrip<T>, T(0));
  }

  T* row(int64_t i) { return memory_ + i * kStrip<T>; }

  HWY_INLINE void after(int64_t positions) {
    positions_ += positions;
    if (positions_ >= kPositionsPerFlush) flush(often_);
  }

  HWY_INLINE void flush() { flush(rows_); }

 private:
  HWY_INLINE void flush(int64_t rows) {
    const Tag<T> d;
    for (int64_t i = 0; i < rows; ++i) {
      for_vectors<T>(count_, [&](int64_t at, size_t count) {
        add_to(hn::Load(d, row(i) + at), out_ + i * channels_ + at, count);
        hn::Store(hn::Zero(d), d, row(i) + at);
      });
    }
    positions_ = 0;
  }

  T* memory_;
  int64_t rows_, often_;
  double* out_;
  int64_t channels_;
  int64_t count_;
  int64_t positions_ = 0;
};

/// products[j] += Σ a · b_j over `count` positions, for kTaps pointers b; products lie a strip
/// apart.
template <int kTaps, typename T>
HWY_INLINE void sum_products(const T* a, int64_t step_a, const T* const* b, int64_t step_b,
                             int64_t count, T* products) {
  const Tag<T> d;
  const T* taps[kTaps];
  Vector<T> sums[kTaps];
  unroll<kTaps>([&](auto j) MOBILEONE_INLINE {
    taps[j] = b[j];
    sums[j] = hn::Load(d, products + j * kStrip<T>);
  });
  for (int64_t i = 0; i < count; ++i) {
    const auto value = hn::Load(d, a + i * step_a);
    unroll<kTaps>([&](auto j) MOBILEONE_INLINE {
      sums[j] = hn::MulAdd(value, hn::Load(d, taps[j] + i * step_b), sums[j]);
    });
  }
  unroll<kTaps>([&](auto j) MOBILEONE_INLINE { hn::Store(sums[j], d, products + j * kStrip<T>); });
}

/// Calls f with n, from 1 to kMost, as a constant.
template <int kMost, typename F>
HWY_INLINE void with_constant(int64_t n, const F& f) {
  if (n == kMost) {
    f(std::integral_constant<int, kMost>());
  } else if constexpr (kMost > 1) {
    with_constant<kMost - 1>(n, f);
  }
}

template <typename T>
HWY_INLINE void sum_products(int64_t taps, const T* a, int64_t step_a, const T* const* b,
                             int64_t step_b, int64_t count, T* products) {
  constexpr int kAtOnce = 9;
  for (int64_t j = 0; j < taps; j += kAtOnce) {
    with_constant<kAtOnce>(std::min<int64_t>(taps - j, kAtOnce), [&](auto number) {
      sum_products<number.value>(a, step_a, b + j, step_b, count, products + j * kStrip<T>);
    });
  }
}

inline constexpr int64_t kMostTaps = 49;

/// Pointers to vector `at` of the first pixel of each tap, in rows [first, last) of taps, of a row
/// of patches whose first tap is at (top, −padding).
template <typename S>
HWY_INLINE void tap_rows(const Depthwise& shape, const Window<S>& window, int64_t top, int64_t at,
                         int64_t first, int64_t last, const Compute<S>** taps) {
  constexpr int64_t kPixel = kStrip<Compute<S>>;
  for (int64_t ky = first; ky < last; ++ky) {
    const auto* tap = window.row(top + ky * shape.dilation) + at - shape.padding() * kPixel;
    for (int64_t kx = 0; kx < shape.kernel; ++kx, tap += shape.dilation * kPixel) *taps++ = tap;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace mobileone::kernels
HWY_AFTER_NAMESPACE();

#endif
