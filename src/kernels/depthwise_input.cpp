#include "depthwise_by_offset.h"
#include "dispatch.h"
#include "mobileone/kernels/depthwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "depthwise_input.cpp"
#include <hwy/foreach_target.h>
// The order matters: Highway compiles what follows once for each instruction set.
#include "depthwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mobileone::kernels {
namespace HWY_NAMESPACE {

/// 3×3 without dilation: a correlation of x by offset and one of g with the turned kernel. With
/// stride 2 a pixel's parity says which taps see it, and pixels of a row two apart are alike.
template <typename S, int kStride>
class FastInputGradient {
 public:
  using T = Compute<S>;

  static size_t size(const Depthwise& shape) {
    return 9 * kStrip<T> + Window<S>::size(5, shape.width, 2) +
           Window<S>::size(3, shape.out_width(), 1);
  }

  FastInputGradient(const Depthwise& shape, const Strip& strip, const S* x, const S* g,
                    const InputGradient<T>& gradient, S* dx, T* memory)
      : shape_(shape),
        strip_(strip),
        by_offset_(gradient.by_offset),
        turned_(memory),
        window_(memory + 9 * kStrip<T>, 5, 2, x, shape, strip, nullptr),
        gradients_(memory + 9 * kStrip<T> + Window<S>::size(5, shape.width, 2), 3, 1, g,
                   output_of(shape), strip, nullptr),
        out_(dx + strip.image * shape.height * shape.width * shape.channels + strip.channel) {
    for (int64_t i = 0; i < 9; ++i) {
      gather(gradient.weight + (8 - i) * shape.channels, 1, shape.channels, strip,
             turned_ + i * kStrip<T>);
    }
  }

  HWY_INLINE void row(int64_t y) {
    window_.advance(-2, y + 2);
    gradients_.advance(-1, (y + 1) / kStride);
    for_vectors<T>(strip_.count, [&](int64_t at, size_t count) {
      Row row{tap_mask(y, shape_.out_height(), kStride),
              strip_.channel + at,
              turned_ + at,
              {},
              {},
              out_ + y * shape_.width * shape_.channels + at,
              count};
      for (int k = 0; k < 5; ++k) row.x[k] = window_.row(y + k - 2) + at;
      for (int k = 0; k < 3; ++k) row.g[k] = gradients_.row(first_patch(y) + k) + at;
      run_over(row, y);
    });
  }

  void finish() {}

 private:
  static Depthwise output_of(const Depthwise& shape) {
    Depthwise output = shape;
    output.height = shape.out_height(), output.width = shape.out_width();
    return output;
  }

  /// The first row (or column) of g whose patch sees row (or column) `at` of x.
  static int64_t first_patch(int64_t at) { return kStride == 1 ? at - 1 : at / 2; }

  /// What the runs of a vector of a row have in common.
  struct Row {
    int mask;  ///< of the taps that see it
    int64_t channel;
    const T* turned;
    const T* x[5];  ///< column 0 of the rows of x from two above
    const T* g[3];  ///< column 0 of the rows of g from first_patch
    S* out;
    size_t count;
  };

  HWY_INLINE void run_over(const Row& row, int64_t y) const {
    const int64_t last = shape_.width - 1;
    const auto one = std::integral_constant<int, 1>();
    if constexpr (kStride == 1) {
      pixels<5, 5>(one, row, 0);
      for_runs(1, last, 1, [&](auto run, int64_t x) { pixels<5, 5>(run, row, x); });
      if (last > 0) pixels<5, 5>(one, row, last);
    } else if (y % 2 == 0) {
      for_runs(0, last + 1, 2, [&](auto run, int64_t x) { pixels<3, 3>(run, row, x); });
      for_runs(1, last, 2, [&](auto run, int64_t x) { pixels<3, 5>(run, row, x); });
      if (last % 2 == 1) pixels<3, 5>(one, row, last);
    } else {
      for_runs(0, last + 1, 2, [&](auto run, int64_t x) { pixels<5, 3>(run, row, x); });
      for_runs(1, last, 2, [&](auto run, int64_t x) { pixels<5, 5>(run, row, x); });
      if (last % 2 == 1) pixels<5, 5>(one, row, last);
    }
  }

  /// A run of pixels kStride apart from column x, all of one kind, whose patches reach over kRows
  /// rows and kColumns columns of x.
  template <int kRows, int kColumns, typename Run>
  HWY_INLINE void pixels(Run, const Row& row, int64_t x) const {
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
    constexpr int64_t kBlock = Depthwise::kBlock;
    const int column_mask = tap_mask(x, shape_.out_width(), kStride);
    const T* factors = by_offset_ + factors_at(row.channel, kind_of_pixel(row.mask, column_mask));
    Vector<T> sums[kRun], more[kRun];
    const auto constant = hn::LoadU(d, factors + 25 * kBlock);
    unroll<kRun>([&](auto b) MOBILEONE_INLINE { sums[b] = constant, more[b] = hn::Zero(d); });
    unroll<kRows>([&](auto k) MOBILEONE_INLINE {
      const int from = k + (5 - kRows) / 2, first = (5 - kColumns) / 2;
      // Short runs would wait for one chain of sums.
      correlate<kRun, kColumns, kStride>(row.x[from] + (x + first - 2) * kStrip<T>,
                                         factors + (5 * from + first) * kBlock, kBlock,
                                         kRun < 8 && k % 2 == 1 ? more : sums);
    });
    unroll<kGradientRows>([&](auto k) MOBILEONE_INLINE {
      correlate<kRun, kGradientColumns>(
          row.g[k] + first_patch(x) * kStrip<T>,
          row.turned + (3 * (kFirstRow + kStride * k) + kFirstColumn) * kStrip<T>,
          kStride * kStrip<T>, kRun < 8 ? more : sums);
    });
    S* out = row.out + x * shape_.channels;
    unroll<kRun>([&](auto b) MOBILEONE_INLINE {
      if constexpr (kRun < 8) sums[b] = hn::Add(sums[b], more[b]);
      store(sums[b], out + b * kStride * shape_.channels, row.count);
    });
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
    return static_cast<size_t>((2 + shape.taps()) * shape.taps() * kStrip<T>) +
           Window<S>::size(4 * shape.padding() + 1, shape.width, shape.padding());
  }

  GeneralInputGradient(const Depthwise& shape, const Strip& strip, const S* x, const S* g,
                       const InputGradient<T>& gradient, S* dx, T* memory)
      : shape_(shape),
        strip_(strip),
        with_moments_(gradient.d != nullptr),
        weight_(memory),
        constant_(weight_ + shape.taps() * kStrip<T>),
        product_(constant_ + shape.taps() * kStrip<T>),
        window_(product_ + shape.taps() * shape.taps() * kStrip<T>, 4 * shape.padding() + 1,
                shape.padding(), x, shape, strip, nullptr),
        gradients_(g + strip.image * shape.out_height() * shape.out_width() * shape.channels +
                   strip.channel),
        out_(dx + strip.image * shape.height * shape.width * shape.channels + strip.channel) {
    gather(gradient.weight, shape.taps(), shape.channels, strip, weight_);
    if (!with_moments_) return;
    gather(gradient.e, shape.taps(), shape.channels, strip, constant_);
    gather(gradient.d, shape.taps() * shape.taps(), shape.channels, strip, product_);
  }

  HWY_INLINE void row(int64_t y) {
    if (with_moments_) {
      window_.advance(-shape_.padding(),
                      std::min(y + 2 * shape_.padding(), shape_.height - 1 + shape_.padding()));
    }
    for_vectors<T>(strip_.count, [&](int64_t at, size_t count) {
      for (int64_t first = 0; first < std::min(shape_.stride, shape_.width); ++first) {
        run_over(y, first, at, count);
      }
    });
  }

  void finish() {}

 private:
  /// The pixels of row y that are a stride apart from column `first`.
  HWY_INLINE void run_over(int64_t y, int64_t first, int64_t at, size_t lanes) const {
    const int64_t count = (shape_.width - first + shape_.stride - 1) / shape_.stride;
    constexpr int kRun = 8;
    int64_t i = 0;
    while (i < count) {
      const int64_t x = first + i * shape_.stride;
      if (i + kRun <= count && same_taps(x, kRun)) {
        pixels<kRun>(y, x, at, lanes);
        i += kRun;
      } else {
        pixels<1>(y, x, at, lanes);
        ++i;
      }
    }
  }

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
  HWY_INLINE void pixels(int64_t y, int64_t x, int64_t at, size_t lanes) const {
    const Tag<T> d;
    const int64_t kernel = shape_.kernel, stride = shape_.stride, dilation = shape_.dilation;
    Vector<T> sums[kRun];
    unroll<kRun>([&](auto b) MOBILEONE_INLINE { sums[b] = hn::Zero(d); });
    for (int64_t ky = 0; ky < kernel; ++ky) {
      const PatchColumn patch_row = patch_of(y, ky);
      if (!is_output(patch_row, shape_.out_height())) continue;
      for (int64_t kx = 0; kx < kernel; ++kx) {
        const PatchColumn patch = patch_of(x, kx);
        if (!is_output(patch, shape_.out_width())) continue;
        const int64_t tap = ky * kernel + kx, top = y - ky * dilation, left = x - kx * dilation;
        const auto weight = hn::Load(d, weight_ + tap * kStrip<T> + at);
        const S* g = gradients_ + at +
                     (patch_row.index * shape_.out_width() + patch.index) * shape_.channels;
        unroll<kRun>([&](auto b) MOBILEONE_INLINE {
          sums[b] = hn::MulAdd(load(g + b * shape_.channels, lanes), weight, sums[b]);
        });
        if (!with_moments_) continue;
        const auto constant = hn::Load(d, constant_ + tap * kStrip<T> + at);
        unroll<kRun>([&](auto b) MOBILEONE_INLINE { sums[b] = hn::Add(sums[b], constant); });
        const T* factor = product_ + tap * shape_.taps() * kStrip<T> + at;
        for (int64_t jy = 0; jy < kernel; ++jy) {
          const T* row = window_.row(top + jy * dilation) + left * kStrip<T> + at;
          for (int64_t jx = 0; jx < kernel; ++jx, factor += kStrip<T>) {
            const auto f = hn::Load(d, factor);
            const T* pixel = row + jx * dilation * kStrip<T>;
            unroll<kRun>([&](auto b) MOBILEONE_INLINE {
              sums[b] = hn::MulAdd(hn::Load(d, pixel + b * stride * kStrip<T>), f, sums[b]);
            });
          }
        }
      }
    }
    S* out = out_ + (y * shape_.width + x) * shape_.channels + at;
    unroll<kRun>([&](auto b) MOBILEONE_INLINE {
      store(sums[b], out + b * stride * shape_.channels, lanes);
    });
  }

  const Depthwise& shape_;
  Strip strip_;
  bool with_moments_;
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

MOBILEONE_KERNELS(backward_input)

}  // namespace HWY_NAMESPACE
}  // namespace mobileone::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mobileone::kernels {

MOBILEONE_DISPATCH(backward_input)

template <typename S>
void backward_input(const Depthwise& shape, int64_t begin, int64_t end, const S* x, const S* g,
                    const InputGradient<Compute<S>>& gradient, S* dx) {
  best_backward_input<S>()(shape, begin, end, x, g, gradient, dx);
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

#define MOBILEONE_INSTANTIATE(S)                                                       \
  template void backward_input(const Depthwise&, int64_t, int64_t, const S*, const S*, \
                               const InputGradient<Compute<S>>&, S*);
MOBILEONE_INSTANTIATE(float)
MOBILEONE_INSTANTIATE(double)
MOBILEONE_INSTANTIATE(bfloat16)
#undef MOBILEONE_INSTANTIATE
template void sum_by_offset(const Depthwise&, int64_t, int64_t, const float*, const float*, float*);
template void sum_by_offset(const Depthwise&, int64_t, int64_t, const double*, const double*,
                            double*);

}  // namespace mobileone::kernels
#endif
