#pragma once

#include "mobileone/model/mobileone.h"

namespace mobileone {

/// How far two tensors of the same shape are apart.
struct Difference {
  double absolute = 0;  ///< max |a − b|
  double relative = 0;  ///< max |a − b| / max |a|
};

Difference largest_difference(const torch::Tensor& expected, const torch::Tensor& actual);

/// Standard normal input [batch,Cin,size,size] for `network`, in its dtype and on its device, from
/// a fixed seed.
torch::Tensor seeded_input(const MobileOne& network, int64_t batch, int64_t size);

}  // namespace mobileone
