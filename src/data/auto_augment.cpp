#include "mobileone/data/auto_augment.h"

#include <ATen/ATen.h>

#include <cmath>

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

/// How the ten magnitudes of an operation are laid out.
struct Scale {
  double identity = 0;
  double weakest = 0;
  double strongest = 0;
  bool is_signed = false;
  bool has_magnitude = true;
};

Scale scale_of(Operation operation, int64_t height, int64_t width) {
  // The paper's translations are of 331-pixel images.
  constexpr double kLargestTranslation = 150.0 / 331.0;
  switch (operation) {
    case kShearX:
    case kShearY:
      return {.strongest = 0.3, .is_signed = true};
    case kTranslateX:
      return {.strongest = kLargestTranslation * static_cast<double>(width), .is_signed = true};
    case kTranslateY:
      return {.strongest = kLargestTranslation * static_cast<double>(height), .is_signed = true};
    case kRotate:
      return {.strongest = 30, .is_signed = true};
    case kBrightness:
    case kColor:
    case kContrast:
    case kSharpness:
      return {.strongest = 0.9, .is_signed = true};
    case kPosterize:
      return {.identity = 8, .weakest = 8, .strongest = 4};
    case kSolarize:
      return {.identity = 256, .weakest = 255, .strongest = 0};
    case kAutoContrast:
    case kEqualize:
    case kInvert:
      return {.has_magnitude = false};
    case kHue:
      break;
  }
  TORCH_CHECK(false, "AutoAugment has no operation ", to_string(operation));
}

at::Tensor apply_step(const at::Tensor& image, const PolicyStep& step, double strength,
                      Random& random) {
  const Scale scale = scale_of(step.operation, image.size(0), image.size(1));
  // Both numbers are drawn whatever becomes of them, so that a step never shifts those after it.
  const bool chosen = random.chance(step.probability * (scale.has_magnitude ? 1.0 : strength));
  const double sign = random.chance(0.5) && scale.is_signed ? -1.0 : 1.0;
  if (!chosen) return image;
  const double magnitude =
      policy_magnitude(step.operation, step.bin, strength, image.size(0), image.size(1));
  return apply_operation(image, step.operation, sign * magnitude);
}

}  // namespace

std::span<const SubPolicy> imagenet_policy() { return kImageNetPolicy; }

double policy_magnitude(Operation operation, int bin, double strength, int64_t height,
                        int64_t width) {
  constexpr int kLastBin = 9;
  const Scale scale = scale_of(operation, height, width);
  // As torch.linspace rounds.
  const auto weakest = static_cast<float>(scale.weakest);
  const auto strongest = static_cast<float>(scale.strongest);
  const float step = (strongest - weakest) / kLastBin;
  const bool weak = bin <= kLastBin / 2;
  double full = weak ? weakest + step * bin : strongest - step * (kLastBin - bin);
  if (operation == kPosterize) full = std::nearbyint(full);
  const double magnitude = scale.identity + (full - scale.identity) * strength;
  return operation == kPosterize ? std::nearbyint(magnitude) : magnitude;
}

at::Tensor auto_augment(const at::Tensor& image, double strength, Random& random) {
  const SubPolicy& policy = kImageNetPolicy[random.integer(std::size(kImageNetPolicy))];
  const at::Tensor once = apply_step(image, policy.first, strength, random);
  return apply_step(once, policy.second, strength, random);
}

}  // namespace mobileone
