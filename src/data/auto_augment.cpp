#include "mobileone/data/auto_augment.h"

#include <ATen/ATen.h>

#include "mobileone/data/magnitudes.h"

namespace mobileone {
namespace {

using enum Operation;

constexpr SubPolicy kImageNetPolicy[] = {
    {{kPosterize, 0.4, 8}, {kRotate, 0.6, 9}},  {{kSolarize, 0.6, 5}, {kAutoContrast, 0.6, 0}},
    {{kEqualize, 0.8, 0}, {kEqualize, 0.6, 0}}, {{kPosterize, 0.6, 7}, {kPosterize, 0.6, 6}},
    {{kEqualize, 0.4, 0}, {kSolarize, 0.2, 4}}, {{kEqualize, 0.4, 0}, {kRotate, 0.8, 8}},
    {{kSolarize, 0.6, 3}, {kEqualize, 0.6, 0}}, {{kPosterize, 0.8, 5}, {kEqualize, 1.0, 0}},
    {{kRotate, 0.2, 3}, {kSolarize, 0.6, 8}},   {{kEqualize, 0.6, 0}, {kPosterize, 0.4, 6}},
    {{kRotate, 0.8, 8}, {kColor, 0.4, 0}},      {{kRotate, 0.4, 9}, {kEqualize, 0.6, 0}},
    {{kEqualize, 0.0, 0}, {kEqualize, 0.8, 0}}, {{kInvert, 0.6, 0}, {kEqualize, 1.0, 0}},
    {{kColor, 0.6, 4}, {kContrast, 1.0, 8}},    {{kRotate, 0.8, 8}, {kColor, 1.0, 2}},
    {{kColor, 0.8, 8}, {kSolarize, 0.8, 7}},    {{kSharpness, 0.4, 7}, {kInvert, 0.6, 0}},
    {{kShearX, 0.6, 5}, {kEqualize, 1.0, 0}},   {{kColor, 0.4, 0}, {kEqualize, 0.6, 0}},
    {{kEqualize, 0.4, 0}, {kSolarize, 0.2, 4}}, {{kSolarize, 0.6, 5}, {kAutoContrast, 0.6, 0}},
    {{kInvert, 0.6, 0}, {kEqualize, 1.0, 0}},   {{kColor, 0.6, 4}, {kContrast, 1.0, 8}},
    {{kEqualize, 0.8, 0}, {kEqualize, 0.6, 0}},
};

at::Tensor apply_step(const at::Tensor& image, const PolicyStep& step, double strength,
                      Random& random) {
  // Both numbers are drawn whatever becomes of them, so that a step never shifts those after it.
  const bool chosen =
      random.chance(step.probability * (has_magnitude(step.operation) ? 1.0 : strength));
  const double sign = random.chance(0.5) && has_sign(step.operation) ? -1.0 : 1.0;
  if (!chosen) return image;
  const double magnitude = magnitude_at(MagnitudeSpace::kAutoAugment, step.operation, step.bin,
                                        strength, image.size(0), image.size(1));
  return apply_operation(image, step.operation, sign * magnitude);
}

}  // namespace

std::span<const SubPolicy> imagenet_policy() { return kImageNetPolicy; }

at::Tensor auto_augment(const at::Tensor& image, double strength, Random& random) {
  const SubPolicy& policy = kImageNetPolicy[random.integer(std::size(kImageNetPolicy))];
  const at::Tensor once = apply_step(image, policy.first, strength, random);
  return apply_step(once, policy.second, strength, random);
}

}  // namespace mobileone
