#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <span>
#include <vector>

#include "mobileone/config/config.h"
#include "mobileone/data/magnitudes.h"
#include "mobileone/util/random.h"

namespace mobileone {

/// The operations among which a policy chooses, each as often; nothing stands for leaving the image
/// as it is. Throws c10::Error for AutoAugment, which has a table of its own (auto_augment.h).
std::span<const std::optional<Operation>> policy_operations(MagnitudeSpace space);

/// What RandAugment (Cubuk et al. 2020) does to an image of that size. Of torchvision's space every
/// operation drawn is applied, at one level; of timm's, every second one, at a level that is normal
/// about the given one, kept within 0 to 10. `strength` in [0, 1] scales magnitudes, and the
/// probability of operations that have none: 0 is the identity, 1 the policy as published.
std::vector<OperationStep> rand_augment_steps(const RandAugmentConfig& config, double strength,
                                              int64_t height, int64_t width, Random& random);

/// The same for TrivialAugmentWide (Müller & Hutter, ICCV 2021, as torchvision has it): one
/// operation at a level drawn evenly; at most one step.
std::vector<OperationStep> trivial_augment_steps(double strength, int64_t height, int64_t width,
                                                 Random& random);

}  // namespace mobileone
