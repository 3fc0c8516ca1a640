#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <vector>

#include "mobileone/config/config.h"

namespace mobileone {

/// The image operations of AutoAugment (Cubuk et al., CVPR 2019, table 6), RandAugment as timm has
/// it, and ColorJitter, and in what their magnitude is measured.
enum class Operation {
  kShearX,        ///< slope: pixels moved to the left per row
  kShearY,        ///< slope: pixels moved up per column
  kTranslateX,    ///< pixels to the right, the fraction cut off
  kTranslateY,    ///< pixels down, the fraction cut off
  kRotate,        ///< degrees counter-clockwise, about the centre
  kBrightness,    ///< change of the factor: -1 is black, 0 the image
  kColor,         ///< likewise; -1 is grey
  kContrast,      ///< likewise; -1 is the mean grey everywhere
  kSharpness,     ///< likewise; -1 is the smoothed image
  kPosterize,     ///< bits kept, 0 to 8
  kSolarize,      ///< levels from this on are inverted, 0 to 256
  kSolarizeAdd,   ///< added to levels below 128, 0 to 128, the fraction cut off
  kAutoContrast,  ///< none
  kEqualize,      ///< none
  kInvert,        ///< none
  kHue,           ///< shift, -0.5 to 0.5 of its circle (hue.h)
};

inline constexpr auto enum_names(Operation) {
  return std::array<EnumName<Operation>, 16>{{{Operation::kShearX, "ShearX"},
                                              {Operation::kShearY, "ShearY"},
                                              {Operation::kTranslateX, "TranslateX"},
                                              {Operation::kTranslateY, "TranslateY"},
                                              {Operation::kRotate, "Rotate"},
                                              {Operation::kBrightness, "Brightness"},
                                              {Operation::kColor, "Color"},
                                              {Operation::kContrast, "Contrast"},
                                              {Operation::kSharpness, "Sharpness"},
                                              {Operation::kPosterize, "Posterize"},
                                              {Operation::kSolarize, "Solarize"},
                                              {Operation::kSolarizeAdd, "SolarizeAdd"},
                                              {Operation::kAutoContrast, "AutoContrast"},
                                              {Operation::kEqualize, "Equalize"},
                                              {Operation::kInvert, "Invert"},
                                              {Operation::kHue, "Hue"}}};
}

/// An operation to apply.
struct OperationStep {
  Operation operation;
  double magnitude;
};

/// Applies one operation to a contiguous uint8 image [H,W,3]; the pixels are those of Pillow and of
/// torchvision on Pillow images. What moves in from outside is black.
at::Tensor apply_operation(const at::Tensor& image, Operation operation, double magnitude);

/// One after the other.
at::Tensor apply_operations(const at::Tensor& image, const std::vector<OperationStep>& steps);

}  // namespace mobileone
