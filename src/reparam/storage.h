#pragma once

#include <ATen/core/Tensor.h>

#include "mobileone/kernels/types.h"

namespace mobileone {

/// The elements of a tensor as the kernels name their type.
template <typename S>
S* data_of(const at::Tensor& tensor) {
  return static_cast<S*>(tensor.data_ptr());
}

/// The dtype in which kernels compute on activations stored as S.
template <typename S>
inline constexpr at::ScalarType kComputeType = at::CppTypeToScalarType<kernels::Compute<S>>::value;

/// The same, of a tensor of activations.
inline at::ScalarType compute_type(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

/// Calls f with a value of the type in which the activations are stored.
template <typename F>
auto with_storage(at::ScalarType type, const F& f) {
  if (type == at::kDouble) return f(double());
  if (type == at::kBFloat16) return f(kernels::bfloat16());
  TORCH_CHECK(type == at::kFloat, "expected float32, float64 or bfloat16 activations");
  return f(float());
}

}  // namespace mobileone
