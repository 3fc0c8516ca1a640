#include "mobileone/kernels/depthwise.h"

#include "dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "depthwise.cpp"
#include <hwy/foreach_target.h>
// The order matters: Highway compiles what follows once for each instruction set.
#include "depthwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mobileone::kernels {
namespace HWY_NAMESPACE {

template <typename S>
class Convolution {
 public:
  using T = Compute<S>;

  static size_t size(const Depthwise& shape) {
    return static_cast<size_t>((shape.taps() + 1) * kStrip<T>) +
           Window<S>::size(rows(shape), shape.width, shape.padding());
  }

  Convolution(const Depthwise& shape, const Strip& strip, const S* x, const T* weight,
              const T* bias, bool relu, S* y, T* memory)
      : shape_(shape),
        weight_(memory),
        bias_(memory + shape.taps() * kStrip<T>),
        window_(bias_ + kStrip<T>, rows(shape), shape.padding(), x, shape, strip, nullptr),
        out_(y + strip.image * shape.out_height() * shape.out_width() * shape.channels +
             strip.channel),
        count_(strip.count),
        relu_(relu) {
    gather(weight, shape.taps(), shape.channels, strip, weight_);
    gather(bias, 1, shape.channels, strip, bias_);
  }

  HWY_INLINE void row(int64_t oy) {
    const int64_t top = oy * shape_.stride - shape_.padding(), bottom = top + 2 * shape_.padding();
    S* out = out_ + oy * shape_.out_width() * shape_.channels;
    if (shape_.has_fast_path()) {
      window_.advance(-shape_.padding(), bottom);
      for_vectors<T>(count_, [&](int64_t at, size_t count) { fast(top, at, count, out + at); });
    } else {
      window_.advance(0, std::min(bottom, shape_.height - 1));
      for_vectors<T>(count_, [&](int64_t at, size_t count) { general(top, at, count, out + at); });
    }
  }

  void finish() {}

 private:
  static int64_t rows(const Depthwise& shape) {
    return shape.has_fast_path() ? shape.window_rows() : shape.image_rows();
  }

  HWY_INLINE void fast(int64_t top, int64_t at, size_t count, S* out) const {
    const T *r0 = window_.row(top) + at, *r1 = window_.row(top + 1) + at,
            *r2 = window_.row(top + 2) + at, *weight = weight_ + at;
    const int64_t channels = shape_.channels;
    const bool relu = relu_;
    const auto bias = hn::Load(Tag<T>(), bias_ + at);
    for_runs(0, shape_.width, 1, [&](auto run, int64_t ox) {
      constexpr int kRun = decltype(run)::value;
      Vector<T> sums[kRun];
      unroll<kRun>([&](auto b) MOBILEONE_INLINE { sums[b] = bias; });
      const int64_t left = (ox - 1) * kStrip<T>;
      correlate<kRun, 3>(r0 + left, weight, kStrip<T>, sums);
      correlate<kRun, 3>(r1 + left, weight + 3 * kStrip<T>, kStrip<T>, sums);
      correlate<kRun, 3>(r2 + left, weight + 6 * kStrip<T>, kStrip<T>, sums);
      unroll<kRun>([&](auto b) MOBILEONE_INLINE {
        finish_pixel(sums[b], relu, out + (ox + b) * channels, count);
      });
    });
  }

  HWY_INLINE void general(int64_t top, int64_t at, size_t count, S* out) const {
    const Tag<T> d;
    const int64_t kernel = shape_.kernel, dilation = shape_.dilation, channels = shape_.channels,
                  step = shape_.stride * kStrip<T>, left = shape_.padding() * kStrip<T>;
    const bool relu = relu_;
    const auto bias = hn::Load(d, bias_ + at);
    for_runs(0, shape_.out_width(), 1, [&](auto run, int64_t ox) {
      constexpr int kRun = decltype(run)::value;
      Vector<T> sums[kRun];
      unroll<kRun>([&](auto b) MOBILEONE_INLINE { sums[b] = bias; });
      for (int64_t ky = 0; ky < kernel; ++ky) {
        const int64_t y = top + ky * dilation;
        if (y < 0 || y >= shape_.height) continue;
        const T *pixel = window_.row(y) + at + ox * step - left,
                *weight = weight_ + ky * kernel * kStrip<T> + at;
        for (int64_t kx = 0; kx < kernel; ++kx) {
          const auto factor = hn::Load(d, weight);
          unroll<kRun>([&](auto b) MOBILEONE_INLINE {
            sums[b] = hn::MulAdd(hn::Load(d, pixel + b * step), factor, sums[b]);
          });
          pixel += dilation * kStrip<T>;
          weight += kStrip<T>;
        }
      }
      unroll<kRun>([&](auto b) MOBILEONE_INLINE {
        finish_pixel(sums[b], relu, out + (ox + b) * channels, count);
      });
    });
  }

  static HWY_INLINE void finish_pixel(Vector<T> sum, bool relu, S* out, size_t count) {
    // As torch's ReLU: a NaN stays one.
    if (relu) sum = hn::IfThenZeroElse(hn::Lt(sum, hn::Zero(Tag<T>())), sum);
    store(sum, out, count);
  }

  const Depthwise& shape_;
  T *weight_, *bias_;
  Window<S> window_;
  S* out_;
  int64_t count_;
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
    return static_cast<size_t>((shape.taps() + 1 + shape.out_width()) * kStrip<T>) +
           Window<S>::size(shape.image_rows(), shape.width, shape.padding());
  }

  WeightGradient(const Depthwise& shape, const Strip& strip, const S* x, const S* y, S* g,
                 T* memory, double* out)
      : shape_(shape),
        sums_(memory, shape.taps() + 1, out, shape.channels, strip),
        masked_(memory + (shape.taps() + 1) * kStrip<T>),
        window_(masked_ + shape.out_width() * kStrip<T>, shape.image_rows(), shape.padding(), x,
                shape, strip, nullptr),
        count_(strip.count) {
    const int64_t at =
        strip.image * shape.out_height() * shape.out_width() * shape.channels + strip.channel;
    g_ = g + at;
    y_ = y != nullptr ? y + at : nullptr;
  }

  HWY_INLINE void row(int64_t oy) {
    const int64_t out_width = shape_.out_width(), top = oy * shape_.stride - shape_.padding();
    window_.advance(0, std::min(top + 2 * shape_.padding(), shape_.height - 1));
    // The rows of taps that are on the image.
    const int64_t dilation = shape_.dilation,
                  first = top >= 0 ? 0 : (dilation - 1 - top) / dilation,
                  last = std::min(shape_.kernel, (shape_.height - 1 - top) / dilation + 1);
    for_vectors<T>(count_, [&](int64_t at, size_t count) {
      with_lanes<T>(count, [&](auto lanes) MOBILEONE_INLINE { mask_row(oy, at, lanes); });
      const T* tap[kMostTaps];
      tap_rows(shape_, window_, top, at, first, last, tap);
      sum_products((last - first) * shape_.kernel, masked_ + at, kStrip<T>, tap,
                   shape_.stride * kStrip<T>, out_width, sums_.row(first * shape_.kernel) + at);
    });
    sums_.after(out_width);
  }

  HWY_INLINE void finish() { sums_.flush(); }

 private:
  /// Masks a vector of row oy of g, keeps a copy and sums it.
  template <typename Count>
  HWY_INLINE void mask_row(int64_t oy, int64_t at, Count count) {
    const Tag<T> d;
    const int64_t channels = shape_.channels, row = shape_.out_width() * channels,
                  begin = oy * row + at, end = begin + row;
    S* const g = g_;
    const S* const y = y_;
    T* masked = masked_ + at;
    T* const total = sums_.row(shape_.taps()) + at;
    auto sum = hn::Load(d, total);
    for (int64_t i = begin; i < end; i += channels, masked += kStrip<T>) {
      hwy::Prefetch(g + i + row);
      auto value = load(g + i, count);
      if (y != nullptr) {
        hwy::Prefetch(y + i + row);
        value = hn::IfThenZeroElse(hn::Le(load(y + i, count), hn::Zero(d)), value);
        store(value, g + i, count);
      }
      sum = hn::Add(sum, value);
      hn::Store(value, d, masked);
    }
    hn::Store(sum, d, total);
  }

  const Depthwise& shape_;
  Sums<T> sums_;
  T* masked_;
  Window<S> window_;
  int64_t count_;
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

MOBILEONE_KERNELS(convolve)
MOBILEONE_KERNELS(backward_weight)

}  // namespace HWY_NAMESPACE
}  // namespace mobileone::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mobileone::kernels {

MOBILEONE_DISPATCH(convolve)
MOBILEONE_DISPATCH(backward_weight)

template <typename S>
void convolve(const Depthwise& shape, int64_t begin, int64_t end, const S* x,
              const Compute<S>* weight, const Compute<S>* bias, bool relu, S* y) {
  best_convolve<S>()(shape, begin, end, x, weight, bias, relu, y);
}

template <typename S>
void backward_weight(const Depthwise& shape, int64_t begin, int64_t end, const S* x, const S* y,
                     S* g, double* sums) {
  best_backward_weight<S>()(shape, begin, end, x, y, g, sums);
}

#define MOBILEONE_INSTANTIATE(S)                                                            \
  template void convolve(const Depthwise&, int64_t, int64_t, const S*, const Compute<S>*,   \
                         const Compute<S>*, bool, S*);                                      \
  template void backward_weight(const Depthwise&, int64_t, int64_t, const S*, const S*, S*, \
                                double*);
MOBILEONE_INSTANTIATE(float)
MOBILEONE_INSTANTIATE(double)
MOBILEONE_INSTANTIATE(bfloat16)
#undef MOBILEONE_INSTANTIATE

}  // namespace mobileone::kernels
#endif
