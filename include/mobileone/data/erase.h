#pragma once

#include <ATen/core/Tensor.h>

#include "mobileone/config/config.h"
#include "mobileone/util/random.h"

namespace mobileone {

/// Random erasing (Zhong et al., AAAI 2020) as timm has it: with `config.probability`, a box of a
/// normalised image float32 [3,H,W], in place, becomes zeros, one standard normal colour or
/// standard normal noise. The box's share of the area is uniform in `config.area`, its ratio of
/// height to width log-uniform in `config.ratio`; where ten boxes do not fit, nothing is erased.
void erase_randomly(const EraseConfig& config, at::Tensor image, Random& random);

}  // namespace mobileone
