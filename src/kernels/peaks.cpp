#include "mobileone/kernels/peaks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "peaks.cpp"
#include <hwy/foreach_target.h>
// The order matters: Highway compiles what follows once for each instruction set.
#include "vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mobileone::kernels {
namespace HWY_NAMESPACE {

double multiply_add(int64_t rounds) {
  // Two begin in a cycle and each takes four or five: a dozen chains keep the units busy. Of
  // chains that begin alike the compiler would keep one.
  constexpr int kChains = 12;
  const Tag<float> d;
  const auto half = hn::Set(d, 0.5f), one = hn::Set(d, 1.0f);
  Vector<float> chains[kChains];
  unroll<kChains>([&](auto i) MOBILEONE_INLINE { chains[i] = hn::Set(d, i); });
  for (int64_t round = 0; round < rounds; ++round) {
    unroll<kChains>([&](auto i) MOBILEONE_INLINE { chains[i] = hn::MulAdd(chains[i], half, one); });
  }
  auto total = hn::Zero(d);
  unroll<kChains>([&](auto i) MOBILEONE_INLINE { total = hn::Add(total, chains[i]); });
  [[maybe_unused]] volatile float used = hn::GetLane(total);
  return 2.0 * kChains * static_cast<double>(hn::Lanes(d)) * static_cast<double>(rounds);
}

void copy(int64_t count, const float* from, float* to) {
  const Tag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < count; i += lanes) hn::StoreU(hn::LoadU(d, from + i), d, to + i);
}

float sum(int64_t count, const float* values) {
  constexpr int kSums = 4;
  const Tag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  Vector<float> sums[kSums];
  unroll<kSums>([&](auto j) MOBILEONE_INLINE { sums[j] = hn::Zero(d); });
  for (int64_t i = 0; i < count; i += kSums * lanes) {
    unroll<kSums>([&](auto j) MOBILEONE_INLINE {
      sums[j] = hn::Add(sums[j], hn::LoadU(d, values + i + j * lanes));
    });
  }
  const auto total = hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]));
  return hn::GetLane(hn::SumOfLanes(d, total));
}

}  // namespace HWY_NAMESPACE
}  // namespace mobileone::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mobileone::kernels {

HWY_EXPORT(multiply_add);
HWY_EXPORT(copy);
HWY_EXPORT(sum);

double multiply_add(int64_t rounds) { return HWY_DYNAMIC_DISPATCH(multiply_add)(rounds); }

void copy(int64_t count, const float* from, float* to) {
  HWY_DYNAMIC_DISPATCH(copy)(count, from, to);
}

float sum(int64_t count, const float* values) { return HWY_DYNAMIC_DISPATCH(sum)(count, values); }

}  // namespace mobileone::kernels
#endif
