#include "mobileone/data/segment_transforms.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "mobileone/data/affine.h"
#include "mobileone/data/blur.h"
#include "mobileone/data/mask_cut.h"
#include "mobileone/data/operations.h"

namespace mobileone {
namespace {

/// The whole picture, its short side resized to `short_side` unless its long one then exceeds
/// `long_side`, which counts instead.
Cut resized(int64_t height, int64_t width, int64_t short_side, int64_t long_side) {
  const int64_t shorter = std::min(height, width), longer = std::max(height, width);
  const bool is_long = short_side * longer > long_side * shorter;
  const auto scaled = [&](int64_t side) {
    const int64_t of_short = short_side * side / shorter, of_long = long_side * side / longer;
    return std::max<int64_t>(1, is_long ? of_long : of_short);
  };
  return {.box = {0, 0, height, width},
          .height = scaled(height),
          .width = scaled(width),
          .window = {0, 0, scaled(height), scaled(width)}};
}

Cut random_cut(const AugmentConfig& augment, Interpolation interpolation, int64_t size,
               int64_t height, int64_t width, const Annotation& annotation, Random& random) {
  const SegmentAugmentConfig& segment = augment.segment;
  const auto [least, most] = segment.short_side;
  Cut cut = resized(height, width, least + random.integer(most - least + 1), segment.long_side);
  cut.interpolation = interpolation;
  cut.flip = random.chance(augment.flip);
  const int64_t spare_rows = std::max<int64_t>(0, cut.height - size);
  const int64_t spare_columns = std::max<int64_t>(0, cut.width - size);
  const bool can_vary = spare_rows > 0 || spare_columns > 0;
  const bool may_fail = segment.max_class_share < 1 && annotation.mask.defined() && can_vary;
  constexpr int kTries = 10;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const int64_t top = random.integer(spare_rows + 1), left = random.integer(spare_columns + 1);
    // The window is of the picture before it is reversed, where its right is still its left.
    cut.window = {top, cut.flip ? cut.width - left - size : left, size, size};
    if (!may_fail) break;
    if (largest_share(cut_mask(cut, annotation.mask)) <= segment.max_class_share) break;
  }
  return cut;
}

/// Channel c of the result is channel `channels[c]` of the image.
at::Tensor permuted(const at::Tensor& image, const std::vector<int64_t>& channels) {
  at::Tensor result = at::empty_like(image);
  const uint8_t* in = image.const_data_ptr<uint8_t>();
  uint8_t* out = result.mutable_data_ptr<uint8_t>();
  const int64_t red = channels[0], green = channels[1], blue = channels[2];
  for (const uint8_t* end = in + image.numel(); in != end; in += 3, out += 3) {
    out[0] = in[red];
    out[1] = in[green];
    out[2] = in[blue];
  }
  return result;
}

void augment_sample(const SegmentAugmentConfig& augment, Sample& sample, Random& random) {
  at::Tensor& image = sample.image;
  at::Tensor& mask = sample.annotation.mask;
  if (random.chance(augment.blur)) image = gaussian_blur(image, random.uniform());
  image = photometric_distortion(image, augment.photometric, random);
  if (augment.rotate == 0) return;
  const double degrees = random.uniform(-augment.rotate, augment.rotate);
  const AffineMap map = rotation(degrees, image.size(0), image.size(1));
  image = sample_bilinear(image, map);
  if (mask.defined()) mask = sample_nearest(mask, map, kIgnored);
}

}  // namespace

at::Tensor photometric_distortion(const at::Tensor& image, double probability, Random& random) {
  std::vector<OperationStep> steps;
  const auto add = [&](bool may_be, Operation operation, double amount) {
    const double magnitude = random.uniform(-amount, amount);
    if (random.chance(probability) && may_be) steps.push_back({operation, magnitude});
  };
  add(true, Operation::kBrightness, 0.125);
  const bool contrast_first = random.chance(0.5);
  add(contrast_first, Operation::kContrast, 0.5);
  add(true, Operation::kColor, 0.5);
  add(true, Operation::kHue, 0.05);
  add(!contrast_first, Operation::kContrast, 0.5);
  const at::Tensor result = apply_operations(image, steps);
  std::vector<int64_t> channels = {0, 1, 2};
  random.shuffle(channels);
  return random.chance(probability) ? permuted(result, channels) : result;
}

Transform segment_train_transform(const AugmentConfig& augment, Interpolation interpolation,
                                  int64_t size) {
  Transform transform;
  transform.cut = [=](int64_t height, int64_t width, const Annotation& annotation, Random& random) {
    return random_cut(augment, interpolation, size, height, width, annotation, random);
  };
  transform.augment = [segment = augment.segment](Sample& sample, Random& random) {
    augment_sample(segment, sample, random);
  };
  return transform;
}

Transform segment_eval_transform(const DataConfig& data) {
  Transform transform;
  transform.cut = [resize = data.eval_resize, interpolation = data.interpolation](
                      int64_t height, int64_t width, const Annotation&, Random&) {
    const int64_t short_side = resize == 0 ? std::min(height, width) : resize;
    Cut cut = resized(height, width, short_side, kLongestOfShortSides * short_side);
    cut.interpolation = interpolation;
    return cut;
  };
  return transform;
}

}  // namespace mobileone
