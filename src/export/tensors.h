#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "mobileone/export/description.h"
#include "mobileone/graph/graph.h"

namespace mobileone {

inline at::ScalarType scalar_type(ExportType type) {
  return type == ExportType::kFloat16 ? at::kHalf : at::kFloat;
}

/// A graph's array in numbers of `type`, in memory of its own.
inline at::Tensor to_tensor(const graph::Array& array, at::ScalarType type) {
  return at::from_blob(const_cast<float*>(array.values.get()), array.shape, at::kFloat)
      .to(type, /*non_blocking=*/false, /*copy=*/true);
}

/// float32 [C,1,1].
inline at::Tensor per_channel(const std::vector<float>& values) {
  return at::tensor(values, at::kFloat).view({-1, 1, 1});
}

}  // namespace mobileone
