// Loads and stores of a few channels for the kernels, compiled once for each instruction set.
#if defined(MOBILEONE_KERNELS_VECTORS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef MOBILEONE_KERNELS_VECTORS_INL_H
#undef MOBILEONE_KERNELS_VECTORS_INL_H
#else
#define MOBILEONE_KERNELS_VECTORS_INL_H
#endif

#include <hwy/highway.h>

#include <concepts>
#include <type_traits>
#include <utility>

#include "mobileone/kernels/types.h"

/// For lambdas of inner loops: inlined into the kernel whatever the compiler thinks of their size.
#undef MOBILEONE_INLINE
#define MOBILEONE_INLINE __attribute__((always_inline))

HWY_BEFORE_NAMESPACE();
namespace mobileone::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <typename T>
using Tag = hn::ScalableTag<T>;

template <typename T>
using Vector = hn::Vec<Tag<T>>;

/// Calls f(i) for the constants i = 0 … n − 1, written out one after the other by the compiler's
/// front end: an array of vectors that is indexed by them lies in registers at every level of
/// optimisation, where loops may leave it on the stack (GCC 12 at -O2 does).
template <typename F, int... i>
HWY_INLINE void unroll(const F& f, std::integer_sequence<int, i...>) {
  (f(std::integral_constant<int, i>()), ...);
}
template <int n, typename F>
HWY_INLINE void unroll(const F& f) {
  unroll(f, std::make_integer_sequence<int, n>());
}

/// The number of elements of a vector, known to the compiler: `load` and `store` of so many need no
/// mask.
template <typename T>
inline constexpr std::integral_constant<size_t, hn::MaxLanes(Tag<T>())> kFull{};

/// Vector registers that a tile of a product may fill: of 32 where the instruction set has them.
inline constexpr bool kManyRegisters =
    HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_NEON;

/// The first `count` elements at p (at most a vector of them), zeros above.
template <std::floating_point T>
HWY_INLINE hn::Vec<Tag<T>> load(const T* p, size_t count) {
  const Tag<T> d;
  if (HWY_LIKELY(count >= hn::Lanes(d))) return hn::LoadU(d, p);
  return hn::MaskedLoad(hn::FirstN(d, count), d, p);
}

HWY_INLINE hn::Vec<Tag<float>> load(const bfloat16* p, size_t count) {
  const Tag<float> d;
  const hn::RebindToUnsigned<Tag<float>> du;
  const hn::Rebind<uint16_t, Tag<float>> dh;
  const auto* bits = reinterpret_cast<const uint16_t*>(p);
  if (HWY_UNLIKELY(count < hn::Lanes(d))) {
    HWY_ALIGN uint16_t lanes[hn::MaxLanes(d)] = {};
    for (size_t i = 0; i < count; ++i) lanes[i] = bits[i];
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(dh, lanes))));
  }
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(dh, bits))));
}

/// Writes the first `count` lanes (at most all).
template <std::floating_point T>
HWY_INLINE void store(hn::Vec<Tag<T>> v, T* p, size_t count) {
  const Tag<T> d;
  if (HWY_LIKELY(count >= hn::Lanes(d))) {
    hn::StoreU(v, d, p);
  } else {
    hn::BlendedStore(v, hn::FirstN(d, count), d, p);
  }
}

/// Rounds to the nearest bfloat16, ties to even; a NaN stays one.
HWY_INLINE void store(hn::Vec<Tag<float>> v, bfloat16* p, size_t count) {
  const Tag<float> d;
  const hn::RebindToUnsigned<Tag<float>> du;
  const hn::RebindToSigned<Tag<float>> di;
  const hn::Rebind<uint16_t, Tag<float>> dh;
  const auto bits = hn::BitCast(du, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7FFF)));
  const auto quiet = hn::Or(bits, hn::Set(du, 0x00400000));
  const auto chosen = hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(v)), quiet, rounded);
  const auto half = hn::DemoteTo(dh, hn::BitCast(di, hn::ShiftRight<16>(chosen)));
  auto* out = reinterpret_cast<uint16_t*>(p);
  if (HWY_LIKELY(count >= hn::Lanes(d))) {
    hn::StoreU(half, dh, out);
  } else {
    HWY_ALIGN uint16_t lanes[hn::MaxLanes(d)];
    hn::StoreU(half, dh, lanes);
    for (size_t i = 0; i < count; ++i) out[i] = lanes[i];
  }
}

/// Calls f(count), with kFull where `count` channels fill a vector.
template <typename T, typename F>
HWY_INLINE void with_lanes(size_t count, const F& f) {
  if (HWY_LIKELY(count >= kFull<T>)) {
    f(kFull<T>);
  } else {
    f(count);
  }
}

/// sums[i] += v[i] in double, for the first `count` lanes (at most all).
HWY_INLINE void add_to(hn::Vec<Tag<double>> v, double* sums, size_t count) {
  store(hn::Add(v, load(sums, count)), sums, count);
}
HWY_INLINE void add_to(hn::Vec<Tag<float>> v, double* sums, size_t count) {
#if HWY_TARGET == HWY_SCALAR
  if (count > 0) sums[0] += hn::GetLane(v);
#else
  const hn::Half<Tag<float>> half;
  const Tag<double> wide;
  const size_t lanes = hn::Lanes(wide);
  add_to(hn::PromoteTo(wide, hn::LowerHalf(half, v)), sums, count);
  if (count > lanes) {
    add_to(hn::PromoteTo(wide, hn::UpperHalf(half, v)), sums + lanes, count - lanes);
  }
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace mobileone::kernels
HWY_AFTER_NAMESPACE();

#endif
