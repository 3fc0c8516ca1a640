#include "mobileone/data/detect_transforms.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>

#include "mobileone/data/box_cut.h"

namespace mobileone {
namespace {

constexpr int64_t kHeight = 240, kWidth = 320;
constexpr int kSeeds = 400;

std::vector<Object> random_objects(Random& random, int64_t count) {
  std::vector<Object> objects;
  for (int64_t i = 0; i < count; ++i) {
    const double left = random.uniform(0, 280), top = random.uniform(0, 200);
    const Box box{left, top, left + random.uniform(4, 40), top + random.uniform(4, 40)};
    objects.push_back({.box = box, .label = static_cast<int32_t>(i), .area = box.area()});
  }
  return objects;
}

bool is_whole(const CropBox& crop) { return crop.height == kHeight && crop.width == kWidth; }

TEST(BoxCrop, IsInsideOfAShapeAndShowsAnObject) {
  for (const BoxCrop rule : {BoxCrop::kMmdetection, BoxCrop::kTorchvision, BoxCrop::kCvnets}) {
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      Random random(seed);
      const auto objects = random_objects(random, 1 + static_cast<int64_t>(seed % 5));
      const CropBox crop = random_box_crop(rule, kHeight, kWidth, objects, random);
      if (is_whole(crop)) continue;
      EXPECT_GE(crop.top, 0);
      EXPECT_GE(crop.left, 0);
      EXPECT_LE(crop.top + crop.height, kHeight);
      EXPECT_LE(crop.left + crop.width, kWidth);
      const double ratio = static_cast<double>(crop.height) / static_cast<double>(crop.width);
      EXPECT_TRUE(ratio >= 0.5 && ratio <= 2) << ratio;
      const Box box = to_box(crop);
      EXPECT_TRUE(std::ranges::any_of(objects, [&](const Object& object) {
        const double x = object.box.center_x(), y = object.box.center_y();
        return x > box.left && x < box.right && y > box.top && y < box.bottom;
      }));
      EXPECT_GE(std::min(crop.height, crop.width), rule == BoxCrop::kCvnets ? 100 : 1);
    }
  }
}

/// Of one large object, so that any threshold can be met: which part of the draws leave the
/// picture whole, and what overlaps occur.
TEST(BoxCrop, ThresholdsOfOneAndNoneMeanWhatEachLibrarySays) {
  const std::vector<Object> objects = {{.box = {10, 10, 310, 230}, .label = 0, .area = 66000}};
  for (const BoxCrop rule : {BoxCrop::kMmdetection, BoxCrop::kTorchvision, BoxCrop::kCvnets}) {
    int whole = 0, below = 0;
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      Random random(seed);
      const CropBox crop = random_box_crop(rule, kHeight, kWidth, objects, random);
      whole += is_whole(crop);
      below += iou(to_box(crop), objects[0].box) < 0.1;
    }
    // One of seven thresholds, which none of the others ends in.
    EXPECT_NEAR(whole / static_cast<double>(kSeeds), 1.0 / 6, 0.08) << to_string(rule);
    // CVNets' threshold of 0 leaves the picture as it is, the others' takes any rectangle.
    EXPECT_LE(below, rule == BoxCrop::kCvnets ? 0 : kSeeds);
  }
}

TEST(BoxCrop, MmdetectionsNeedsEveryBox) {
  // Two boxes that no rectangle overlaps by 0.1 both.
  const std::vector<Object> objects = {{.box = {0, 0, 10, 10}, .label = 0, .area = 100},
                                       {.box = {310, 230, 320, 240}, .label = 0, .area = 100}};
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Random random(seed), other(seed);
    const CropBox crop = random_box_crop(BoxCrop::kMmdetection, kHeight, kWidth, objects, random);
    const bool shows_one =
        iou(to_box(crop), objects[0].box) > 0 || iou(to_box(crop), objects[1].box) > 0;
    EXPECT_TRUE(is_whole(crop) || shows_one);
  }
}

Config config_of(bool letterbox) {
  Config config;
  config.model.head = HeadKind::kSsdLite;
  config.data.letterbox = letterbox;
  config.augment.detect.photometric = 0;
  return config;
}

/// A picture in which each object is a rectangle of its own level: where it is shown, its level is.
TEST(DetectTransforms, BoxesFollowTheirPixels) {
  for (const bool letterbox : {false, true}) {
    const Config config = config_of(letterbox);
    const Transform transform = detect_train_transform(config.augment, config.data, 160);
    for (uint64_t seed = 0; seed < 60; ++seed) {
      Random random(seed);
      Sample sample{at::zeros({kHeight, kWidth, 3}, at::kByte), {}};
      const int64_t left = 40 + random.integer(150), top = 30 + random.integer(100);
      sample.image.slice(0, top, top + 60).slice(1, left, left + 80).fill_(255);
      const Box box{static_cast<double>(left), static_cast<double>(top),
                    static_cast<double>(left + 80), static_cast<double>(top + 60)};
      sample.annotation.objects = {{.box = box, .label = 0, .area = box.area()}};
      const Sample shown = transform(sample, random);
      EXPECT_EQ(shown.image.sizes(), torch::IntArrayRef({160, 160, 3}));
      for (const Object& object : shown.annotation.objects) {
        // All but what resizing spreads over its edges.
        const auto within = [](double from, double to) {
          return std::pair{static_cast<int64_t>(from) + 4, static_cast<int64_t>(to) - 4};
        };
        const auto [top_row, bottom_row] = within(object.box.top, object.box.bottom);
        const auto [first, last] = within(object.box.left, object.box.right);
        if (top_row >= bottom_row || first >= last) continue;
        const auto inside = shown.image.slice(0, top_row, bottom_row).slice(1, first, last);
        EXPECT_GT(inside.to(at::kFloat).mean().item<double>(), 250) << seed;
      }
    }
  }
}

TEST(DetectTransforms, OutsideThePictureIsTheMeanColour) {
  Config config = config_of(false);
  config.augment.detect = {.zoom_out = 1, .most_zoom = 4, .crop = BoxCrop::kNone, .photometric = 0};
  const Transform transform = detect_train_transform(config.augment, config.data, 96);
  int64_t outside = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    const Sample shown = transform({at::zeros({kHeight, kWidth, 3}, at::kByte), {}}, random);
    const auto fill = at::tensor({124, 116, 104}, at::kByte);
    const auto is_fill = shown.image.eq(fill).all(2), is_black = shown.image.eq(0).all(2);
    EXPECT_TRUE(is_fill.logical_or(is_black).all().item<bool>());
    outside += is_fill.sum().item<int64_t>();
  }
  EXPECT_GT(outside, 0);
}

TEST(DetectTransforms, EvaluationShowsTheWholePicture) {
  for (const bool letterbox : {false, true}) {
    DataConfig data = config_of(letterbox).data;
    data.eval_crop = 128;
    Random random(0);
    const Cut cut = detect_eval_transform(data).cut(kHeight, kWidth, {}, random);
    const Box all = cut_box(cut, {0, 0, kWidth, kHeight});
    EXPECT_EQ(all, letterbox ? (Box{0, 16, 128, 112}) : (Box{0, 0, 128, 128}));
    EXPECT_EQ(uncut_box(cut, all), (Box{0, 0, kWidth, kHeight}));
  }
}

/// Whatever the picture's shape, something of it is shown.
TEST(DetectTransforms, TakeAnySize) {
  const Config config = config_of(false);
  const Transform transform = detect_train_transform(config.augment, config.data, 64);
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 500}, {900, 3}, {2000, 2500}}) {
    for (uint64_t seed = 0; seed < 30; ++seed) {
      Random random(seed);
      EXPECT_EQ(transform(at::zeros({height, width, 3}, at::kByte), random).size(0), 64);
    }
  }
}

}  // namespace
}  // namespace mobileone
