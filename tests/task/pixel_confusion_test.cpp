#include "mobileone/task/pixel_confusion.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "mobileone/data/annotation.h"
#include "mobileone/util/error.h"
#include "mobileone/util/random.h"

namespace mobileone {
namespace {

/// IoU of a class by its definition, pixel by pixel; NaN where no pixel is of it.
double iou_by_sets(const std::vector<uint8_t>& predicted, const std::vector<uint8_t>& labels,
                   uint8_t label) {
  double both = 0, either = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == kIgnored) continue;
    both += predicted[i] == label && labels[i] == label;
    either += predicted[i] == label || labels[i] == label;
  }
  return either > 0 ? 100 * both / either : NAN;
}

at::Tensor row(const std::vector<uint8_t>& values) {
  return at::tensor(at::ArrayRef<uint8_t>(values), at::kByte).view({1, -1});
}

TEST(PixelConfusion, IsTheIntersectionOverUnionOfPixels) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Random random(seed, {});
    const int64_t classes = 1 + random.integer(6), pixels = 1 + random.integer(200);
    PixelConfusion confusion(classes);
    std::vector<uint8_t> predicted, labels;
    for (int64_t i = 0; i < pixels; ++i) {
      predicted.push_back(static_cast<uint8_t>(random.integer(classes)));
      // Some sets lack a class altogether.
      const auto drawn = random.integer(1 + random.integer(classes));
      labels.push_back(random.chance(0.2) ? kIgnored : static_cast<uint8_t>(drawn));
    }
    confusion.add(row(predicted).to(at::kLong), row(labels));
    double sum = 0, present = 0, right = 0, judged = 0;
    for (int64_t c = 0; c < classes; ++c) {
      const double expected = iou_by_sets(predicted, labels, static_cast<uint8_t>(c));
      const double actual = confusion.class_iou()[static_cast<size_t>(c)];
      ASSERT_EQ(std::isnan(expected), std::isnan(actual)) << "seed " << seed;
      if (std::isnan(expected)) continue;
      ASSERT_NEAR(actual, expected, 1e-12) << "seed " << seed;
      sum += expected;
      ++present;
    }
    for (size_t i = 0; i < labels.size(); ++i) {
      judged += labels[i] != kIgnored;
      right += labels[i] == predicted[i];
    }
    if (present == 0) {
      EXPECT_TRUE(std::isnan(confusion.miou()));
    } else {
      EXPECT_NEAR(confusion.miou(), sum / present, 1e-12);
      EXPECT_NEAR(confusion.pixel_accuracy(), 100 * right / judged, 1e-12);
    }
    EXPECT_EQ(confusion.pixels(), static_cast<int64_t>(judged));
  }
}

TEST(PixelConfusion, SaysNothingWhereAllIsIgnored) {
  PixelConfusion confusion(3);
  confusion.add(row({0, 1, 2}), row({kIgnored, kIgnored, kIgnored}));
  EXPECT_EQ(confusion.pixels(), 0);
  EXPECT_TRUE(std::isnan(confusion.miou()));
  EXPECT_TRUE(std::isnan(confusion.pixel_accuracy()));
}

TEST(PixelConfusion, CountsAClassThatIsOnlyPredictedAsZero) {
  PixelConfusion confusion(3);
  confusion.add(row({0, 1}), row({0, 0}));
  EXPECT_EQ(confusion.class_iou()[0], 50);
  EXPECT_EQ(confusion.class_iou()[1], 0);
  EXPECT_TRUE(std::isnan(confusion.class_iou()[2]));
  EXPECT_EQ(confusion.miou(), 25);
}

TEST(PixelConfusion, RefusesALabelBeyondTheClasses) {
  PixelConfusion confusion(2);
  EXPECT_THROW(confusion.add(row({0, 1}), row({0, 2})), Error);
}

}  // namespace
}  // namespace mobileone
