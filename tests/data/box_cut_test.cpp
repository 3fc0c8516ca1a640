#include "mobileone/data/box_cut.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "mobileone/data/resize.h"
#include "mobileone/util/random.h"

namespace mobileone {
namespace {

Box random_box(Random& random, double width, double height) {
  const double left = random.uniform(-0.2, 0.9) * width, top = random.uniform(-0.2, 0.9) * height;
  return {left, top, left + random.uniform(0.001, 1) * width,
          top + random.uniform(0.001, 1) * height};
}

/// Crops, canvases that reach out of the picture, letterboxes, flips.
Cut random_cut(Random& random, int64_t width, int64_t height) {
  const int64_t left = random.integer(width), top = random.integer(height);
  Cut cut{.box = {top, left, 1 + random.integer(height - top), 1 + random.integer(width - left)},
          .height = 1 + random.integer(400),
          .width = 1 + random.integer(400),
          .window = {}};
  cut.window = {random.integer(200) - 100, random.integer(200) - 100, 1 + random.integer(400),
                1 + random.integer(400)};
  cut.flip = random.chance(0.5);
  return cut;
}

TEST(BoxCut, ThereAndBackIsTheSameBox) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Random random(seed);
    const int64_t width = 1 + random.integer(2000), height = 1 + random.integer(2000);
    const Cut cut = random_cut(random, width, height);
    const Box box = random_box(random, static_cast<double>(width), static_cast<double>(height));
    EXPECT_NEAR(iou(uncut_box(cut, cut_box(cut, box)), box), 1, 1e-12) << "seed " << seed;
  }
}

/// Two boxes overlap after a cut as they did before: it moves and scales both alike.
TEST(BoxCut, KeepsOverlaps) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Random random(seed, {1});
    const Cut cut = random_cut(random, 640, 480);
    const Box a = random_box(random, 640, 480), b = random_box(random, 640, 480);
    EXPECT_NEAR(iou(cut_box(cut, a), cut_box(cut, b)), iou(a, b), 1e-12) << "seed " << seed;
  }
}

/// The box of a bright rectangle is where its pixels are.
TEST(BoxCut, GoesWhereThePixelsGo) {
  for (const bool flip : {false, true}) {
    const at::Tensor image = at::zeros({40, 60, 3}, at::kByte);
    image.slice(0, 10, 20).slice(1, 30, 50).fill_(255);
    const Cut cut{.box = {5, 20, 20, 40},
                  .height = 20,
                  .width = 40,
                  .window = {-3, -7, 30, 50},
                  .flip = flip};
    const at::Tensor cut_image = apply_cut(cut, image);
    const Box box = cut_box(cut, {30, 10, 50, 20});
    EXPECT_EQ(box, flip ? (Box{13, 8, 33, 18}) : (Box{17, 8, 37, 18}));
    const at::Tensor expected = at::zeros({30, 50}, at::kByte);
    expected.slice(0, 8, 18)
        .slice(1, static_cast<int64_t>(box.left), static_cast<int64_t>(box.right))
        .fill_(255);
    EXPECT_TRUE(cut_image.select(2, 1).equal(expected));
  }
}

TEST(BoxCut, OutsideThePictureIsTheFill) {
  const at::Tensor image = at::full({10, 20, 3}, 200, at::kByte);
  for (const bool flip : {false, true}) {
    const Cut cut{.box = {0, 0, 10, 20},
                  .height = 10,
                  .width = 20,
                  .window = {-4, -5, 16, 40},
                  .flip = flip,
                  .fill = {1, 2, 3}};
    const at::Tensor expected = at::empty({16, 40, 3}, at::kByte);
    for (int64_t channel = 0; channel < 3; ++channel)
      expected.select(2, channel).fill_(channel + 1);
    const int64_t left = flip ? 15 : 5;
    expected.slice(0, 4, 14).slice(1, left, left + 20).fill_(200);
    EXPECT_TRUE(apply_cut(cut, image).equal(expected)) << flip;
  }
}

TEST(BoxCut, ObjectsAreThoseWhoseCentresShow) {
  const Cut half{.box = {0, 0, 100, 100}, .height = 50, .width = 50, .window = {0, 0, 50, 25}};
  const std::vector<Object> objects = {
      {.box = {10, 10, 30, 30}, .label = 0, .area = 200},
      {.box = {40, 0, 58, 20}, .label = 1, .area = 360, .crowd = true},  // reaches out
      {.box = {45, 0, 65, 20}, .label = 2, .area = 400},                 // its centre does
      {.box = {20, 50, 20, 60}, .label = 3},                             // is empty
      {.box = {-10, -4, 30, 20}, .label = 4, .area = 960, .difficult = true}};
  const auto shown = cut_objects(half, objects);
  ASSERT_EQ(shown.size(), 3u);
  EXPECT_EQ(shown[0], (Object{.box = {5, 5, 15, 15}, .label = 0, .area = 50}));
  EXPECT_EQ(shown[1], (Object{.box = {20, 0, 25, 10}, .label = 1, .area = 90, .crowd = true}));
  EXPECT_EQ(shown[2], (Object{.box = {0, 0, 15, 10}, .label = 4, .area = 240, .difficult = true}));
}

TEST(BoxCut, ClippingEmptiesWhatLiesOutside) {
  EXPECT_EQ(clipped({-5, 2, 4, 30}, 10, 20), (Box{0, 2, 4, 20}));
  EXPECT_EQ(clipped({12, 2, 14, 3}, 10, 20).area(), 0);
  EXPECT_EQ(clipped({-4, -4, -1, -1}, 10, 20).area(), 0);
}

}  // namespace
}  // namespace mobileone
