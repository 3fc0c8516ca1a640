#pragma once

#include <string>

#include "mobileone/model/mobileone.h"

namespace mobileone {

/// How far two tensors of the same shape are apart. All are NaN where one of the tensors has a NaN.
struct Difference {
  double absolute = 0;  ///< max |a − b|
  double relative = 0;  ///< max |a − b| / max |a|
  double largest = 0;   ///< max |a|
};

/// Of whole numbers (the classes of pixels) `absolute` and `relative` are the share that differs,
/// and `largest` is 1.
Difference largest_difference(const torch::Tensor& expected, const torch::Tensor& actual);

/// The one rule by which outputs of two computations of a network in numbers of `type` are the
/// same: no difference is above a share of the largest output, nor needs to be below a floor.
///
///     float64: 1e-11, floor 1e-10    float32: 1e-5, floor 1e-4    float16: 1e-2, floor 1e-2
///
/// The share is some 50 (in float16 10) times what rounding makes of a deep network; the floor is
/// what that is for logits of 10 (in float16 of 1), so that small ones need not agree better.
double allowed_difference(const Difference& difference, torch::ScalarType type);

/// Whether they are the same by that rule. Outputs that are not finite never are.
bool agrees(const Difference& difference, torch::ScalarType type);

/// "0.006 absolute, 4.1e-07 relative".
std::string to_string(const Difference& difference);

/// What is odd about logits of this size, in words that follow a file's name: "its logits are NaN
/// or infinite", or that they are far larger than a trained network's. Empty if nothing is.
std::string odd_logits(double largest);

/// Standard normal input, float32 [batch,channels,size,size], from a fixed seed.
torch::Tensor seeded_input(int64_t channels, int64_t batch, int64_t size);

/// The same for `network`, in its dtype and on its device.
torch::Tensor seeded_input(const MobileOne& network, int64_t batch, int64_t size);

}  // namespace mobileone
