#pragma once

#include "mobileone/reparam/backend.h"

namespace mobileone {

/// LibTorch's products (cuBLAS) and the project's kernels for 3×3 depthwise convolutions.
const Backend& cuda_backend();

}  // namespace mobileone
