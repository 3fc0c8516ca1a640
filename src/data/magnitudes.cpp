#include "mobileone/data/magnitudes.h"

#include <c10/util/Exception.h>

#include <cmath>

namespace mobileone {
namespace {

using enum MagnitudeSpace;

struct Scale {
  double weakest = 0;
  double strongest = 0;
  double identity = 0;
};

/// The papers' translations are of 331-pixel images; timm's and the wide space's are not.
double largest_translation(MagnitudeSpace space, int64_t side) {
  if (space == kTrivialWide) return 32;
  return (space == kIncreasing ? 0.45 : 150.0 / 331.0) * static_cast<double>(side);
}

Scale scale_of(MagnitudeSpace space, Operation operation, int64_t height, int64_t width) {
  const bool wide = space == kTrivialWide;
  const bool increasing = space == kIncreasing;
  switch (operation) {
    case Operation::kShearX:
    case Operation::kShearY:
      return {0, wide ? 0.99 : 0.3};
    case Operation::kTranslateX:
      return {0, largest_translation(space, width)};
    case Operation::kTranslateY:
      return {0, largest_translation(space, height)};
    case Operation::kRotate:
      return {0, wide ? 135.0 : 30.0};
    case Operation::kBrightness:
    case Operation::kColor:
    case Operation::kContrast:
    case Operation::kSharpness:
      return {0, wide ? 0.99 : 0.9};
    case Operation::kPosterize:
      if (increasing) return {4, 0, 8};
      return {8, wide ? 2.0 : 4.0, 8};
    case Operation::kSolarize:
      return {increasing ? 256.0 : 255.0, 0, 256};
    case Operation::kSolarizeAdd:
      return {0, 110};
    case Operation::kAutoContrast:
    case Operation::kEqualize:
    case Operation::kInvert:
      return {};
    case Operation::kHue:
      break;
  }
  TORCH_CHECK(false, "no policy has an operation ", to_string(operation));
}

bool counts_levels(Operation operation) {
  return operation == Operation::kPosterize || operation == Operation::kSolarize ||
         operation == Operation::kSolarizeAdd;
}

/// As torch.linspace rounds.
double evenly_spaced(const Scale& scale, int bin, int last) {
  const auto weakest = static_cast<float>(scale.weakest);
  const auto strongest = static_cast<float>(scale.strongest);
  const float step = (strongest - weakest) / static_cast<float>(last);
  const bool weak = bin <= last / 2;
  return weak ? weakest + step * static_cast<float>(bin)
              : strongest - step * static_cast<float>(last - bin);
}

double full_magnitude(MagnitudeSpace space, Operation operation, double level, const Scale& scale) {
  const int last = last_level(space);
  if (space != kIncreasing) {
    const double full = evenly_spaced(scale, static_cast<int>(level), last);
    return operation == Operation::kPosterize ? std::nearbyint(full) : full;
  }
  const double change = (scale.strongest - scale.weakest) * (level / last);
  return scale.weakest + (counts_levels(operation) ? std::trunc(change) : change);
}

}  // namespace

int last_level(MagnitudeSpace space) {
  switch (space) {
    case kAutoAugment:
      return 9;
    case kRandAugment:
    case kTrivialWide:
      return 30;
    case kIncreasing:
      return 10;
  }
  TORCH_CHECK(false, "unknown space");
}

double magnitude_at(MagnitudeSpace space, Operation operation, double level, double strength,
                    int64_t height, int64_t width) {
  const Scale scale = scale_of(space, operation, height, width);
  const double full = full_magnitude(space, operation, level, scale);
  const double magnitude = scale.identity + (full - scale.identity) * strength;
  return operation == Operation::kPosterize ? std::nearbyint(magnitude) : magnitude;
}

bool has_sign(Operation operation) { return has_magnitude(operation) && !counts_levels(operation); }

bool has_magnitude(Operation operation) {
  return operation != Operation::kAutoContrast && operation != Operation::kEqualize &&
         operation != Operation::kInvert;
}

}  // namespace mobileone
