#include "mobileone/eval/detection_errors.h"

#include <gtest/gtest.h>

#include "mobileone/task/coco_ap.h"
#include "mobileone/util/random.h"

namespace mobileone {
namespace {

constexpr std::array<double, 4> kPlace = {100, 100, 100, 50}, kElsewhere = {400, 300, 100, 50};

CocoObject object_at(const std::array<double, 4>& box, int64_t category = 0) {
  return {.category = category, .box = box, .area = box[2] * box[3]};
}

/// As many columns to the right, of 100.
std::array<double, 4> beside(double columns) { return {100 + columns, 100, 100, 50}; }

/// Of one image.
DetectionErrors errors_of(const DetectedImage& image) {
  return find_detection_errors(2, {&image, 1});
}

int64_t number_of(const DetectionErrors& errors, DetectionError kind) {
  return errors.kinds[static_cast<size_t>(kind)].count;
}

double cost_of(const DetectionErrors& errors, DetectionError kind) {
  return errors.kinds[static_cast<size_t>(kind)].cost;
}

/// That nothing is wrong but one detection of a kind.
void expect_only(const DetectionErrors& errors, DetectionError kind) {
  for (size_t i = 0; i < kDetectionErrors.size(); ++i) {
    EXPECT_EQ(errors.kinds[i].count, i == static_cast<size_t>(kind)) << kDetectionErrors[i];
  }
}

TEST(DetectionErrorsTest, NothingIsWrong) {
  const auto errors = errors_of({1, {object_at(kPlace)}, {{kPlace, 0, 0.5}}});
  for (const auto& [number, loss] : errors.kinds) {
    EXPECT_EQ(number, 0);
    EXPECT_EQ(loss, 0);
  }
  EXPECT_EQ(errors.image_costs, std::vector<double>{0});
}

TEST(DetectionErrorsTest, ADuplicateIsOfAnObjectThatWasFound) {
  const auto errors = errors_of({1,
                                 {object_at(kPlace), object_at(kElsewhere)},
                                 {{kPlace, 0, 0.9}, {beside(10), 0, 0.8}, {kElsewhere, 0, 0.7}}});
  expect_only(errors, DetectionError::kDuplicate);
  // 2 of 3 right from the recall of 0.5 on; without the duplicate all.
  EXPECT_NEAR(cost_of(errors, DetectionError::kDuplicate), 50.0 / 101 / 3, 1e-12);
  EXPECT_EQ(errors.image_costs, std::vector<double>{0.8});
}

TEST(DetectionErrorsTest, OfTheWrongClassAtTheRightPlace) {
  const auto errors = errors_of({1, {object_at(kPlace, 1)}, {{kPlace, 0, 0.9}}});
  expect_only(errors, DetectionError::kClass);
  EXPECT_NEAR(cost_of(errors, DetectionError::kClass), 1, 1e-12);
}

TEST(DetectionErrorsTest, OfTheRightClassBesideItsObject) {
  for (const double columns : {40.0, 81.0}) {
    const auto errors = errors_of({1, {object_at(kPlace)}, {{beside(columns), 0, 0.9}}});
    expect_only(errors, DetectionError::kLocalization);
    EXPECT_NEAR(cost_of(errors, DetectionError::kLocalization), 1, 1e-12);
  }
}

TEST(DetectionErrorsTest, NeitherClassNorPlaceIsRight) {
  const auto errors =
      errors_of({1, {object_at(kPlace, 1)}, {{kPlace, 1, 0.8}, {beside(40), 0, 0.9}}});
  expect_only(errors, DetectionError::kBoth);
  EXPECT_EQ(cost_of(errors, DetectionError::kBoth), 0) << "a class without objects costs nothing";
}

TEST(DetectionErrorsTest, OfTheBackground) {
  const auto errors = errors_of({1, {object_at(kPlace)}, {{kPlace, 0, 0.8}, {beside(90), 0, 0.9}}});
  expect_only(errors, DetectionError::kBackground);
  EXPECT_NEAR(cost_of(errors, DetectionError::kBackground), 0.5, 1e-12);
}

TEST(DetectionErrorsTest, MissedIsWhatNoDetectionIsMeantFor) {
  const auto errors =
      errors_of({1, {object_at(kPlace), object_at(kElsewhere)}, {{beside(40), 0, 0.25}}});
  EXPECT_EQ(number_of(errors, DetectionError::kMissed), 1);
  EXPECT_EQ(number_of(errors, DetectionError::kLocalization), 1);
  EXPECT_NEAR(cost_of(errors, DetectionError::kMissed), 51.0 / 101, 1e-12);
  EXPECT_NEAR(cost_of(errors, DetectionError::kLocalization), 51.0 / 101, 1e-12);
  EXPECT_EQ(errors.image_costs, std::vector<double>{1.25});
}

TEST(DetectionErrorsTest, OfDetectionsBesideAnObjectTheSurestIsMended) {
  const auto errors =
      errors_of({1,
                 {object_at(kPlace), object_at(kElsewhere)},
                 {{beside(40), 0, 0.9}, {beside(45), 0, 0.8}, {kElsewhere, 0, 0.7}}});
  EXPECT_EQ(number_of(errors, DetectionError::kLocalization), 2);
  // AP50 is 1/3 up to a recall of 0.5; mended, both objects are found and nothing else.
  EXPECT_NEAR(cost_of(errors, DetectionError::kLocalization), 1 - 51.0 / 101 / 3, 1e-12);
}

TEST(DetectionErrorsTest, ACrowdIsNoObject) {
  CocoObject crowd = object_at(kPlace);
  crowd.is_crowd = true;
  const auto errors = errors_of({1,
                                 {crowd, object_at(kElsewhere)},
                                 {{kPlace, 0, 0.9}, {kPlace, 1, 0.8}, {kElsewhere, 0, 0.7}}});
  expect_only(errors, DetectionError::kBackground);
}

TEST(DetectionErrorsTest, AllMendedIsAllRight) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Random random(seed, {});
    constexpr int64_t kCategories = 3;
    std::vector<DetectedImage> images;
    const auto box = [&] {
      return std::array<double, 4>{random.uniform(0, 50), random.uniform(0, 50),
                                   random.uniform(20, 40), random.uniform(20, 40)};
    };
    CocoMeter meter(kCategories);
    for (int64_t id = 0; id < 5; ++id) {
      DetectedImage image{id};
      for (int64_t i = 0; i < 4; ++i) {
        image.objects.push_back(object_at(box(), random.integer(kCategories)));
      }
      for (int64_t i = 0; i < 20; ++i) {
        image.found.push_back({box(), random.integer(kCategories), random.uniform()});
      }
      meter.add(id, image.objects, image.found);
      images.push_back(image);
    }
    const CocoScores scores = meter.scores();
    const DetectionErrors errors = find_detection_errors(kCategories, images);
    int64_t wrong = 0;
    for (size_t i = 0; i < kDetectionErrors.size(); ++i) {
      EXPECT_GE(errors.kinds[i].cost, -1e-12) << "seed " << seed << ", " << kDetectionErrors[i];
      EXPECT_LE(errors.kinds[i].cost + scores.ap50, 1 + 1e-12);
      if (i != static_cast<size_t>(DetectionError::kMissed)) wrong += errors.kinds[i].count;
    }
    int64_t right = 0;
    for (const auto& image : images) {
      for (const auto& match : coco_matches(image.objects, image.found)) {
        right += match.mark.right[0] & 1;
      }
    }
    EXPECT_EQ(right + wrong, 100);
    EXPECT_LE(right + number_of(errors, DetectionError::kMissed), 20);
  }
}

}  // namespace
}  // namespace mobileone
