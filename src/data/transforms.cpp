#include "mobileone/data/transforms.h"

#include <algorithm>
#include <cmath>

#include "mobileone/data/auto_augment.h"
#include "mobileone/data/box_cut.h"
#include "mobileone/data/color_jitter.h"
#include "mobileone/data/mask_cut.h"
#include "mobileone/data/random_policies.h"
#include "mobileone/data/resize.h"
#include "mobileone/kernels/resize.h"

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

/// Where the middle `size` of `length` pixels begin; before them where there are fewer.
int64_t central_begin(int64_t length, int64_t size) {
  if (length < size) return -((size - length) / 2);
  return round_even(static_cast<double>(length - size) / 2);
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

Cut short_side_cut(int64_t height, int64_t width, int64_t size, Interpolation interpolation) {
  const int64_t short_side = std::min(height, width);
  const int64_t longest = kLongestOfShortSides * short_side;
  const CropBox box{std::max<int64_t>(0, (height - longest) / 2),
                    std::max<int64_t>(0, (width - longest) / 2), std::min(height, longest),
                    std::min(width, longest)};
  const int64_t new_height = size * box.height / short_side;
  const int64_t new_width = size * box.width / short_side;
  return {.box = box,
          .height = new_height,
          .width = new_width,
          .window = {0, 0, new_height, new_width},
          .interpolation = interpolation};
}

Cut central_cut(int64_t height, int64_t width, int64_t resize, int64_t crop,
                Interpolation interpolation) {
  Cut cut = short_side_cut(height, width, resize, interpolation);
  cut.window = {central_begin(cut.height, crop), central_begin(cut.width, crop), crop, crop};
  return cut;
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

LevelTable level_table(const std::vector<double>& mean, const std::vector<double>& std) {
  LevelTable levels(mean.size());
  for (size_t channel = 0; channel < mean.size(); ++channel) {
    for (size_t level = 0; level < 256; ++level) {
      levels[channel][level] =
          (static_cast<float>(level) / 255.0f - static_cast<float>(mean[channel])) /
          static_cast<float>(std[channel]);
    }
  }
  return levels;
}

void normalize(const uint8_t* levels, int64_t pixels, const LevelTable& table, float* out) {
  if (table.size() == 3) {
    kernels::look_up_levels(pixels, levels, table[0].data(), out);
  } else {
    for (int64_t i = 0; i < pixels; ++i) out[i] = table[0][levels[3 * i]];
  }
}

Sample Transform::operator()(const Sample& sample, Random& random) const {
  const auto& [image, annotation] = sample;
  const Cut chosen = cut(image.size(0), image.size(1), annotation, random);
  Sample result{apply_cut(chosen, image), annotation};
  if (annotation.mask.defined()) result.annotation.mask = cut_mask(chosen, annotation.mask);
  result.annotation.objects = cut_objects(chosen, annotation.objects);
  if (augment) augment(result, random);
  return result;
}

at::Tensor Transform::operator()(const at::Tensor& image, Random& random) const {
  return (*this)(Sample{image, {}}, random).image;
}

Transform train_transform(const AugmentConfig& augment, Interpolation interpolation, int64_t size,
                          double strength) {
  Transform transform;
  transform.cut = [=](int64_t height, int64_t width, const Annotation&, Random& random) {
    const CropBox box =
        random_resized_crop(height, width, augment.crop_area, augment.crop_ratio, random);
    return Cut{.box = box,
               .height = size,
               .width = size,
               .window = {0, 0, size, size},
               .flip = random.chance(augment.flip),
               .interpolation = interpolation};
  };
  const bool jitters = augment.color_jitter != std::array<double, 4>{};
  if (jitters || augment.policy != Policy::kNone) {
    transform.augment = [=](Sample& sample, Random& random) {
      sample.image = augment_image(augment, strength, sample.image, random);
    };
  }
  return transform;
}

Transform eval_transform(const DataConfig& data) {
  Transform transform;
  transform.cut = [resize = data.eval_resize, crop = data.eval_crop,
                   interpolation = data.interpolation](int64_t height, int64_t width,
                                                       const Annotation&, Random&) {
    return central_cut(height, width, resize, crop, interpolation);
  };
  return transform;
}

}  // namespace mobileone
