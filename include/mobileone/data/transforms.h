#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "mobileone/config/config.h"
#include "mobileone/data/annotation.h"
#include "mobileone/data/cut.h"
#include "mobileone/util/random.h"

namespace mobileone {

// Images are uint8 [H,W,3], RGB (image.h). The algorithms and their rounding are torchvision's.

/// Samples a box (Szegedy et al. 2015): its share of the image's area uniform in `area`, its ratio
/// of width to height log-uniform in `ratio`. If ten boxes do not fit, the largest central one with
/// an allowed ratio.
CropBox random_resized_crop(int64_t height, int64_t width, std::array<double, 2> area,
                            std::array<double, 2> ratio, Random& random);

/// A view of the box.
at::Tensor crop(const at::Tensor& image, const CropBox& box);

inline constexpr int64_t kLongestOfShortSides = 64;

/// The picture with a short side of `size` px, in its shape. Of one longer than
/// kLongestOfShortSides times its short side only the middle counts.
Cut short_side_cut(int64_t height, int64_t width, int64_t size, Interpolation interpolation);

/// Of that, the central `crop` x `crop` pixels, on black where there are fewer.
Cut central_cut(int64_t height, int64_t width, int64_t resize, int64_t crop,
                Interpolation interpolation);

/// Colour jitter and the policy of `augment` with `strength` in [0, 1]. The image keeps its size.
at::Tensor augment_image(const AugmentConfig& augment, double strength, const at::Tensor& image,
                         Random& random);

/// The float32 values of the 256 levels in each channel: (level / 255 - mean) / std.
using LevelTable = std::vector<std::array<float, 256>>;
LevelTable level_table(const std::vector<double>& mean, const std::vector<double>& std);

/// Writes `pixels` RGB pixels as float32 to `out`, in the same order.
void normalize(const uint8_t* levels, int64_t pixels, const LevelTable& table, float* out);

/// From a picture of any size to the network's, with what is known of it. Draws nothing but from
/// `random`; may be called from several threads.
struct Transform {
  /// For a picture's size; drawn first, so that no more need be decoded than it asks for.
  std::function<Cut(int64_t height, int64_t width, const Annotation& annotation, Random& random)>
      cut;
  /// What is then done to the cut's window, image and mask, whose sizes stay; empty: nothing.
  std::function<void(Sample& sample, Random& random)> augment;
  /// What a network is trained towards, of a finished sample's annotation: tensors of the same
  /// shapes for every image of `height` x `width`; empty: nothing but labels and masks.
  std::function<std::vector<at::Tensor>(const Annotation& annotation, int64_t height,
                                        int64_t width)>
      targets = {};

  /// Both, of a decoded image and its annotation.
  Sample operator()(const Sample& sample, Random& random) const;
  /// Likewise of an image of which nothing is known.
  at::Tensor operator()(const at::Tensor& image, Random& random) const;
};

/// Random resized crop to `size`, horizontal flip, and `augment_image`.
Transform train_transform(const AugmentConfig& augment, Interpolation interpolation, int64_t size,
                          double strength);

/// `central_cut` to `data.eval_resize` and `data.eval_crop`.
Transform eval_transform(const DataConfig& data);

}  // namespace mobileone
