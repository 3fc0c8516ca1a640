#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <functional>

#include "mobileone/config/config.h"
#include "mobileone/util/random.h"

namespace mobileone {

// Images are uint8 [H,W,3], RGB (image.h). The algorithms and their rounding are torchvision's.

/// In pixels, inside the image.
struct CropBox {
  int64_t top;
  int64_t left;
  int64_t height;
  int64_t width;
};

/// Samples a box (Szegedy et al. 2015): its share of the image's area uniform in `area`, its ratio
/// of width to height log-uniform in `ratio`. If ten boxes do not fit, the largest central one with
/// an allowed ratio.
CropBox random_resized_crop(int64_t height, int64_t width, std::array<double, 2> area,
                            std::array<double, 2> ratio, Random& random);

/// A view of the box.
at::Tensor crop(const at::Tensor& image, const CropBox& box);

/// The central `size` x `size` pixels, on black where the image is smaller. Contiguous.
at::Tensor center_crop(const at::Tensor& image, int64_t size);

inline constexpr int64_t kLongestOfShortSides = 64;

/// Resizes so that the shorter side has `size` pixels, keeping the shape. Of an image longer than
/// kLongestOfShortSides times its short side only the middle is kept: whole it could take
/// gigabytes.
at::Tensor resize_short_side(const at::Tensor& image, int64_t size, Interpolation interpolation);

/// Colour jitter and the policy of `augment` with `strength` in [0, 1]. The image keeps its size.
at::Tensor augment_image(const AugmentConfig& augment, double strength, const at::Tensor& image,
                         Random& random);

at::Tensor horizontal_flip(const at::Tensor& image);

/// The float32 values of the 256 levels in each channel: (level / 255 - mean) / std.
using LevelTable = std::array<std::array<float, 256>, 3>;
LevelTable level_table(const std::array<double, 3>& mean, const std::array<double, 3>& std);

/// Writes a contiguous image as float32 to `out`, in the same order; `out` has 3·H·W elements, for
/// instance one image of a channels-last batch.
void normalize(const at::Tensor& image, const LevelTable& levels, float* out);

/// From a decoded image of any size to the network's, uint8 [S,S,3]. Draws nothing but from
/// `random`; may be called from several threads.
using Transform = std::function<at::Tensor(const at::Tensor& image, Random& random)>;

/// Random resized crop to `size`, horizontal flip, and `augment_image`.
Transform train_transform(const AugmentConfig& augment, Interpolation interpolation, int64_t size,
                          double strength);

/// Short side to `data.eval_resize`, then the central `data.eval_crop` x `data.eval_crop` pixels.
Transform eval_transform(const DataConfig& data);

}  // namespace mobileone
