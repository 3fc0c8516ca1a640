#include "mobileone/kernels/rows.h"

#include <algorithm>
#include <type_traits>

#include "dispatch.h"
#include "scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "rows.cpp"
#include <hwy/foreach_target.h>
// The order matters: Highway compiles what follows once for each instruction set.
#include "vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mobileone::kernels {
namespace HWY_NAMESPACE {

/// Rows of which the sums stay in the compute type before they go to double.
inline constexpr int64_t kRowsPerFlush = 128;

/// Calls f(at, c, count) for each vector of channels of rows [begin, end): where it lies, its first
/// channel, and how many there are.
template <typename T, typename F>
HWY_INLINE void for_vectors(int64_t begin, int64_t end, int64_t channels, const F& f) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Tag<T>()));
  for (int64_t at = begin * channels; begin < end; ++begin) {
    int64_t c = 0;
    for (; c + lanes <= channels; c += lanes, at += lanes) f(at, c, kFull<T>);
    if (c < channels) f(at, c, static_cast<size_t>(channels - c));
    at += channels - c;
  }
}

/// Runs f(at, channel, count, sums) over all vectors, where f adds to kSums running sums of its
/// channels; adds the totals to out [kSums, channels].
template <int kSums, typename T, typename F>
HWY_INLINE void sum_vectors(int64_t rows, int64_t channels, double* out, const F& f) {
  const Tag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)),
                padded = (channels + lanes - 1) / lanes * lanes;
  T* running = scratch<T>(static_cast<size_t>(kSums * padded));
  for (int64_t begin = 0; begin < rows; begin += kRowsPerFlush) {
    std::fill(running, running + kSums * padded, T(0));
    for_vectors<T>(begin, std::min(begin + kRowsPerFlush, rows), channels,
                   [&](int64_t at, int64_t c, auto count) MOBILEONE_INLINE {
                     Vector<T> sums[kSums];
                     unroll<kSums>([&](auto i) MOBILEONE_INLINE {
                       sums[i] = hn::Load(d, running + i * padded + c);
                     });
                     f(at, c, count, sums);
                     unroll<kSums>([&](auto i) MOBILEONE_INLINE {
                       hn::Store(sums[i], d, running + i * padded + c);
                     });
                   });
    for (int i = 0; i < kSums; ++i) {
      for (int64_t c = 0; c < channels; c += lanes) {
        add_to(hn::Load(d, running + i * padded + c), out + i * channels + c,
               static_cast<size_t>(std::min(lanes, channels - c)));
      }
    }
  }
}

template <typename S>
void column_moments(int64_t rows, int64_t channels, const S* x, const Compute<S>* shift,
                    double* sums) {
  using T = Compute<S>;
  sum_vectors<2, T>(rows, channels, sums,
                    [&](int64_t at, int64_t c, auto count, Vector<T>* s) MOBILEONE_INLINE {
                      const auto v = hn::Sub(load(x + at, count), load(shift + c, count));
                      s[0] = hn::Add(s[0], v);
                      s[1] = hn::MulAdd(v, v, s[1]);
                    });
}

template <typename S, typename T = Compute<S>, typename Count>
HWY_INLINE Vector<T> affine_at(const Affine<T>& affine, int64_t c, Count count, Vector<T> y,
                               const S* x) {
  auto z = hn::MulAdd(load(affine.scale + c, count), y, load(affine.bias + c, count));
  if (affine.skip != nullptr) z = hn::MulAdd(load(affine.skip + c, count), load(x, count), z);
  return z;
}

template <typename S>
void normalise(int64_t rows, int64_t channels, const S* y, const S* x,
               const Affine<Compute<S>>& affine, bool relu, S* out) {
  using T = Compute<S>;
  const Affine<T> factors = affine;  // a copy, which no store to `out` might change
  const auto zero = hn::Zero(Tag<T>());
  for_vectors<T>(0, rows, channels, [&](int64_t at, int64_t c, auto count) MOBILEONE_INLINE {
    auto z = affine_at(factors, c, count, load(y + at, count), x + at);
    // As torch's ReLU: a NaN stays one.
    if (relu) z = hn::IfThenZeroElse(hn::Lt(z, zero), z);
    store(z, out + at, count);
  });
}

template <typename S>
void relu_backward(int64_t rows, int64_t channels, const S* y, S* g, double* sums) {
  using T = Compute<S>;
  const auto zero = hn::Zero(Tag<T>());
  sum_vectors<1, T>(rows, channels, sums,
                    [&](int64_t at, int64_t, auto count, Vector<T>* s) MOBILEONE_INLINE {
                      auto value = load(g + at, count);
                      if (y != nullptr) {
                        value = hn::IfThenZeroElse(hn::Le(load(y + at, count), zero), value);
                        store(value, g + at, count);
                      }
                      s[0] = hn::Add(s[0], value);
                    });
}

template <typename S>
void normalise_backward_sums(int64_t rows, int64_t channels, const S* y, const S* x,
                             const Affine<Compute<S>>& affine, bool relu, const Compute<S>* shift,
                             const Compute<S>* shift_skip, S* g, double* sums) {
  using T = Compute<S>;
  const Affine<T> factors = affine;
  const auto zero = hn::Zero(Tag<T>());
  sum_vectors<3, T>(rows, channels, sums,
                    [&](int64_t at, int64_t c, auto count, Vector<T>* s) MOBILEONE_INLINE {
                      const auto main = load(y + at, count);
                      auto value = load(g + at, count);
                      if (relu) {
                        const auto z = affine_at(factors, c, count, main, x + at);
                        value = hn::IfThenZeroElse(hn::Le(z, zero), value);
                        store(value, g + at, count);
                      }
                      s[0] = hn::Add(s[0], value);
                      s[1] = hn::MulAdd(value, hn::Sub(main, load(shift + c, count)), s[1]);
                      if (factors.skip != nullptr) {
                        const auto skip = hn::Sub(load(x + at, count), load(shift_skip + c, count));
                        s[2] = hn::MulAdd(value, skip, s[2]);
                      }
                    });
}

template <typename S>
void normalise_backward(int64_t rows, int64_t channels, const S* y, const S* x,
                        const NormGradient<Compute<S>>& main, const NormGradient<Compute<S>>& skip,
                        S* g, S* dx) {
  using T = Compute<S>;
  const NormGradient<T> of_main = main, of_skip = skip;
  const auto gradient = [](const NormGradient<T>& norm, int64_t c, auto count, Vector<T> value,
                           Vector<T> input) MOBILEONE_INLINE {
    const auto centred = hn::Sub(input, load(norm.shift + c, count));
    const auto own = hn::MulAdd(load(norm.b + c, count), centred, load(norm.c + c, count));
    return hn::MulAdd(load(norm.a + c, count), value, own);
  };
  for_vectors<T>(0, rows, channels, [&](int64_t at, int64_t c, auto count) MOBILEONE_INLINE {
    const auto value = load(g + at, count);
    if (x != nullptr) {
      store(gradient(of_skip, c, count, value, load(x + at, count)), dx + at, count);
    }
    store(gradient(of_main, c, count, value, load(y + at, count)), g + at, count);
  });
}

MOBILEONE_KERNELS(column_moments)
MOBILEONE_KERNELS(normalise)
MOBILEONE_KERNELS(relu_backward)
MOBILEONE_KERNELS(normalise_backward_sums)
MOBILEONE_KERNELS(normalise_backward)

}  // namespace HWY_NAMESPACE
}  // namespace mobileone::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mobileone::kernels {

MOBILEONE_DISPATCH(column_moments)
MOBILEONE_DISPATCH(normalise)
MOBILEONE_DISPATCH(relu_backward)
MOBILEONE_DISPATCH(normalise_backward_sums)
MOBILEONE_DISPATCH(normalise_backward)

template <typename S>
void column_moments(int64_t rows, int64_t channels, const S* x, const Compute<S>* shift,
                    double* sums) {
  best_column_moments<S>()(rows, channels, x, shift, sums);
}

template <typename S>
void normalise(int64_t rows, int64_t channels, const S* y, const S* x,
               const Affine<Compute<S>>& affine, bool relu, S* out) {
  best_normalise<S>()(rows, channels, y, x, affine, relu, out);
}

template <typename S>
void relu_backward(int64_t rows, int64_t channels, const S* y, S* g, double* sums) {
  best_relu_backward<S>()(rows, channels, y, g, sums);
}

template <typename S>
void normalise_backward_sums(int64_t rows, int64_t channels, const S* y, const S* x,
                             const Affine<Compute<S>>& affine, bool relu, const Compute<S>* shift,
                             const Compute<S>* shift_skip, S* g, double* sums) {
  best_normalise_backward_sums<S>()(rows, channels, y, x, affine, relu, shift, shift_skip, g, sums);
}

template <typename S>
void normalise_backward(int64_t rows, int64_t channels, const S* y, const S* x,
                        const NormGradient<Compute<S>>& main, const NormGradient<Compute<S>>& skip,
                        S* g, S* dx) {
  best_normalise_backward<S>()(rows, channels, y, x, main, skip, g, dx);
}

#define MOBILEONE_INSTANTIATE(S)                                                                 \
  template void column_moments(int64_t, int64_t, const S*, const Compute<S>*, double*);          \
  template void normalise(int64_t, int64_t, const S*, const S*, const Affine<Compute<S>>&, bool, \
                          S*);                                                                   \
  template void relu_backward(int64_t, int64_t, const S*, S*, double*);                          \
  template void normalise_backward_sums(int64_t, int64_t, const S*, const S*,                    \
                                        const Affine<Compute<S>>&, bool, const Compute<S>*,      \
                                        const Compute<S>*, S*, double*);                         \
  template void normalise_backward(int64_t, int64_t, const S*, const S*,                         \
                                   const NormGradient<Compute<S>>&,                              \
                                   const NormGradient<Compute<S>>&, S*, S*);
MOBILEONE_INSTANTIATE(float)
MOBILEONE_INSTANTIATE(double)
MOBILEONE_INSTANTIATE(bfloat16)
#undef MOBILEONE_INSTANTIATE

}  // namespace mobileone::kernels
#endif
