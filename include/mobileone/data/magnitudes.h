#pragma once

#include <cstdint>

#include "mobileone/data/operations.h"

namespace mobileone {

/// The published layouts of operations' magnitudes.
enum class MagnitudeSpace {
  kAutoAugment,  ///< torchvision's AutoAugment: levels 0 to 9
  kRandAugment,  ///< torchvision's RandAugment: levels 0 to 30
  kTrivialWide,  ///< torchvision's TrivialAugmentWide: levels 0 to 30
  kIncreasing,   ///< timm's increasing RandAugment, "inc1": levels 0 to 10, fractions too
};

/// The strongest level of a space; the weakest is 0.
int last_level(MagnitudeSpace space);

/// What `level` of a space means for an image of that size: a magnitude as `apply_operation` takes
/// it, `strength` in [0, 1] of the way from the identity. Of shears, translations, rotations and
/// factors it is the positive one; 0 for operations without a magnitude.
double magnitude_at(MagnitudeSpace space, Operation operation, double level, double strength,
                    int64_t height, int64_t width);

/// Whether policies draw the magnitude's sign.
bool has_sign(Operation operation);
bool has_magnitude(Operation operation);

}  // namespace mobileone
