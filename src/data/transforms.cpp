#include "mobileone/data/transforms.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "mobileone/data/auto_augment.h"
#include "mobileone/data/color_jitter.h"
#include "mobileone/data/random_policies.h"
#include "mobileone/data/resize.h"

namespace mobileone {
namespace {

/// Python's round: halves go to the even neighbour.
int64_t round_even(double value) { return static_cast<int64_t>(std::nearbyint(value)); }

CropBox central_box(int64_t height, int64_t width, std::array<double, 2> ratio) {
  const double own_ratio = static_cast<double>(width) / static_cast<double>(height);
  CropBox box{0, 0, height, width};
  if (own_ratio < ratio[0]) {
    box.height = std::max<int64_t>(1, round_even(static_cast<double>(width) / ratio[0]));
  } else if (own_ratio > ratio[1]) {
    box.width = std::max<int64_t>(1, round_even(static_cast<double>(height) * ratio[1]));
  }
  box.top = (height - box.height) / 2;
  box.left = (width - box.width) / 2;
  return box;
}

}  // namespace

CropBox random_resized_crop(int64_t height, int64_t width, std::array<double, 2> area,
                            std::array<double, 2> ratio, Random& random) {
  constexpr int kTries = 10;
  const auto pixels = static_cast<double>(height * width);
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const double target = pixels * random.uniform(area[0], area[1]);
    const double shape = std::exp(random.uniform(std::log(ratio[0]), std::log(ratio[1])));
    const int64_t w = round_even(std::sqrt(target * shape));
    const int64_t h = round_even(std::sqrt(target / shape));
    if (w > 0 && w <= width && h > 0 && h <= height) {
      const int64_t top = random.integer(height - h + 1);
      return {top, random.integer(width - w + 1), h, w};
    }
  }
  return central_box(height, width, ratio);
}

at::Tensor crop(const at::Tensor& image, const CropBox& box) {
  return image.narrow(0, box.top, box.height).narrow(1, box.left, box.width);
}

at::Tensor augment_image(const AugmentConfig& augment, double strength, const at::Tensor& image,
                         Random& random) {
  const at::Tensor jittered = color_jitter(image, augment.color_jitter, random);
  const int64_t height = image.size(0);
  const int64_t width = image.size(1);
  switch (augment.policy) {
    case Policy::kNone:
      return jittered;
    case Policy::kAutoAugment:
      return auto_augment(jittered, strength, random);
    case Policy::kRandAugment:
      return apply_operations(
          jittered, rand_augment_steps(augment.randaugment, strength, height, width, random));
    case Policy::kTrivialAugment:
      return apply_operations(jittered, trivial_augment_steps(strength, height, width, random));
  }
  TORCH_CHECK(false, "unknown policy");
}

at::Tensor center_crop(const at::Tensor& image, int64_t size) {
  const int64_t height = image.size(0);
  const int64_t width = image.size(1);
  const int64_t kept_height = std::min(size, height);
  const int64_t kept_width = std::min(size, width);
  const at::Tensor kept = crop(
      image, {round_even(static_cast<double>(height - kept_height) / 2),
              round_even(static_cast<double>(width - kept_width) / 2), kept_height, kept_width});
  if (kept_height == size && kept_width == size) return kept.contiguous();
  at::Tensor padded = at::zeros({size, size, 3}, at::kByte);
  crop(padded, {(size - kept_height) / 2, (size - kept_width) / 2, kept_height, kept_width})
      .copy_(kept);
  return padded;
}

at::Tensor resize_short_side(const at::Tensor& original, int64_t size,
                             Interpolation interpolation) {
  const int64_t longest = kLongestOfShortSides * std::min(original.size(0), original.size(1));
  const int64_t height = std::min(original.size(0), longest);
  const int64_t width = std::min(original.size(1), longest);
  const at::Tensor image = crop(
      original, {(original.size(0) - height) / 2, (original.size(1) - width) / 2, height, width});
  const auto scaled = [&](int64_t side) { return size * side / std::min(height, width); };
  if (std::min(height, width) == size) return image.contiguous();
  return resize(image, scaled(height), scaled(width), interpolation);
}

at::Tensor horizontal_flip(const at::Tensor& image) {
  at::Tensor flipped = at::empty_like(image);
  const int64_t width = image.size(1);
  const uint8_t* in = image.const_data_ptr<uint8_t>();
  uint8_t* row = flipped.mutable_data_ptr<uint8_t>();
  for (int64_t y = 0; y < image.size(0); ++y, row += 3 * width) {
    for (int64_t x = width - 1; x >= 0; --x, in += 3) std::copy_n(in, 3, row + 3 * x);
  }
  return flipped;
}

LevelTable level_table(const std::array<double, 3>& mean, const std::array<double, 3>& std) {
  LevelTable levels;
  for (size_t channel = 0; channel < 3; ++channel) {
    for (size_t level = 0; level < 256; ++level) {
      levels[channel][level] =
          (static_cast<float>(level) / 255.0f - static_cast<float>(mean[channel])) /
          static_cast<float>(std[channel]);
    }
  }
  return levels;
}

void normalize(const at::Tensor& image, const LevelTable& levels, float* out) {
  const uint8_t* in = image.const_data_ptr<uint8_t>();
  for (const uint8_t* end = in + image.numel(); in != end; in += 3, out += 3) {
    for (size_t channel = 0; channel < 3; ++channel) out[channel] = levels[channel][in[channel]];
  }
}

Transform train_transform(const AugmentConfig& augment, Interpolation interpolation, int64_t size,
                          double strength) {
  return [=](const at::Tensor& image, Random& random) {
    const CropBox box = random_resized_crop(image.size(0), image.size(1), augment.crop_area,
                                            augment.crop_ratio, random);
    at::Tensor result = resize(crop(image, box), size, size, interpolation);
    if (random.chance(augment.flip)) result = horizontal_flip(result);
    return augment_image(augment, strength, result, random);
  };
}

Transform eval_transform(const DataConfig& data) {
  return [resize = data.eval_resize, crop = data.eval_crop, interpolation = data.interpolation](
             const at::Tensor& image, Random&) {
    return center_crop(resize_short_side(image, resize, interpolation), crop);
  };
}

}  // namespace mobileone
