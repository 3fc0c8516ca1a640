#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <vector>

#include "mobileone/data/operations.h"
#include "mobileone/util/random.h"

namespace mobileone {

/// The steps that torchvision's ColorJitter takes: in a random order, brightness, contrast and
/// saturation by factors uniform in [max(0, 1 - x), 1 + x], and the hue by a shift uniform in
/// [-x, x], where x are the `amounts` in this order; what has an amount of 0 is left out. Draws the
/// same numbers of `random` whatever the amounts.
std::vector<OperationStep> random_color_steps(const std::array<double, 4>& amounts, Random& random);

/// Applies such steps to a contiguous uint8 image [H,W,3].
at::Tensor color_jitter(const at::Tensor& image, const std::array<double, 4>& amounts,
                        Random& random);

}  // namespace mobileone
