#pragma once

#include <cstdint>
#include <type_traits>

namespace mobileone::kernels {

/// A bfloat16 number as it lies in memory.
struct bfloat16 {
  uint16_t bits;
};

/// The type in which a kernel computes on values stored as S.
template <typename S>
using Compute = std::conditional_t<std::is_same_v<S, bfloat16>, float, S>;

}  // namespace mobileone::kernels
