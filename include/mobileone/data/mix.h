#pragma once

#include <ATen/core/Tensor.h>

#include "mobileone/config/config.h"
#include "mobileone/data/cut.h"
#include "mobileone/util/random.h"

namespace mobileone {

/// How a batch is mixed with itself in reverse order, as timm does: image i with image N - 1 - i.
struct Mixture {
  double weight = 1;  ///< of an image's own pixels and label, in [0, 1]
  bool cuts = false;  ///< CutMix: `box` comes from the other image; else mixup
  CropBox box = {0, 0, 0, 0};
};

/// Draws mixup (Zhang et al., ICLR 2018) or CutMix (Yun et al., ICCV 2019) for a batch of images of
/// that size. The weight is from Beta(alpha, alpha); of CutMix, whose box has that weight's area
/// but for what falls outside the image, it is then the box's exact one.
Mixture random_mixture(const MixConfig& config, int64_t height, int64_t width, Random& random);

/// Mixes images float32 [N,3,H,W] in place.
void mix_images(const Mixture& mixture, at::Tensor images);

/// A number from Beta(alpha, alpha), alpha > 0.
double random_beta(double alpha, Random& random);

}  // namespace mobileone
