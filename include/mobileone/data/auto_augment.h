#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "mobileone/data/operations.h"
#include "mobileone/util/random.h"

namespace mobileone {

/// One operation of a sub-policy: applied with `probability`, at the `bin`-th of ten magnitudes (0
/// the weakest, 9 the strongest; unused by operations without a magnitude).
struct PolicyStep {
  Operation operation;
  double probability;
  int bin;
};

struct SubPolicy {
  PolicyStep first;
  PolicyStep second;
};

/// The 25 sub-policies that AutoAugment found on ImageNet (Cubuk et al., CVPR 2019, table 9; in the
/// order of torchvision's AutoAugmentPolicy.IMAGENET).
std::span<const SubPolicy> imagenet_policy();

/// Applies a random sub-policy to a contiguous uint8 image [H,W,3]. `strength` scales magnitudes,
/// and the probability of operations that have none: 0 is the identity, 1 the policy as published.
at::Tensor auto_augment(const at::Tensor& image, double strength, Random& random);

}  // namespace mobileone
