#pragma once

#include <cstdint>

#include "mobileone/config/config.h"
#include "mobileone/data/transforms.h"

namespace mobileone {

/// The steps of photometric distortion, each with `probability`: brightness by a factor in
/// [0.875, 1.125], contrast by one in [0.5, 1.5], before or after what follows, saturation
/// likewise, hue by up to 0.05 of its circle, and the channels in another order. The image, uint8
/// [H,W,3], keeps its size.
at::Tensor photometric_distortion(const at::Tensor& image, double probability, Random& random);

/// CVNets' augmentation for segmentation. The cut: a resize to a short side drawn uniformly,
/// limited by the long one; a flip; a crop of `size` x `size`, drawn anew while one class covers
/// too much of it, at its right and bottom padded with black and kIgnored where the image is
/// smaller. Then, of image and mask alike, Gaussian blur, photometric distortion and a rotation
/// about the middle.
Transform segment_train_transform(const AugmentConfig& augment, Interpolation interpolation,
                                  int64_t size);

/// The whole picture with a short side of `data.eval_resize` px, or as it is where that is 0; of
/// one longer than kLongestOfShortSides times its short side the long side is so much instead.
/// Networks are judged by masks as they are stored: let the loader leave them so
/// (`ImagePipeline::Options::original_annotations`).
Transform segment_eval_transform(const DataConfig& data);

}  // namespace mobileone
