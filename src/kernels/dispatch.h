#pragma once

#include <type_traits>

#include "mobileone/kernels/types.h"

/// A kernel is a function template of the type in which activations are stored, written in
/// HWY_NAMESPACE and so compiled for each instruction set. There, MOBILEONE_KERNELS(f) names its
/// instances; under HWY_ONCE, MOBILEONE_DISPATCH(f) makes best_f<S>(), the instance for the best
/// instruction set that this machine has.
#define MOBILEONE_KERNEL(f, S) \
  decltype(&f<S>) f##_##S() { return &f<S>; }
#define MOBILEONE_KERNELS(f)  \
  MOBILEONE_KERNEL(f, float)  \
  MOBILEONE_KERNEL(f, double) \
  MOBILEONE_KERNEL(f, bfloat16)

#define MOBILEONE_DISPATCH(f)                                                               \
  HWY_EXPORT(f##_float);                                                                    \
  HWY_EXPORT(f##_double);                                                                   \
  HWY_EXPORT(f##_bfloat16);                                                                 \
  template <typename S>                                                                     \
  auto best_##f() {                                                                         \
    if constexpr (std::is_same_v<S, float>) return HWY_DYNAMIC_DISPATCH(f##_float)();       \
    if constexpr (std::is_same_v<S, double>) return HWY_DYNAMIC_DISPATCH(f##_double)();     \
    if constexpr (std::is_same_v<S, bfloat16>) return HWY_DYNAMIC_DISPATCH(f##_bfloat16)(); \
  }
