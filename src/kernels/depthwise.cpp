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
