#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "mobileone/export/description.h"

namespace mobileone {

inline at::ScalarType scalar_type(ExportType type) {
  return type == ExportType::kFloat16 ? at::kHalf : at::kFloat;
}

/// float32 [C,1,1].
inline at::Tensor per_channel(const std::vector<float>& values) {
  return at::tensor(values, at::kFloat).view({-1, 1, 1});
}

}  // namespace mobileone
