#include "mobileone/task/voc_ap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "dist/as_processes.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {

using Json = nlohmann::json;

constexpr int64_t kVocImages = 5, kVocClasses = 4;

/// Whole pixels from 1, ends included.
Box box_of(const Json& edges) {
  return {edges[0].get<double>() - 1, edges[1].get<double>() - 1, edges[2], edges[3]};
}

void add(VocMeter& meter, const Json& set, int64_t image) {
  std::vector<Object> objects;
  std::vector<Detection> found;
  for (const Json& each : set["objects"]) {
    if (each["image"] != image) continue;
    objects.push_back(
        {.box = box_of(each["box"]), .label = each["label"], .difficult = each["difficult"]});
  }
  for (const Json& each : set["found"]) {
    if (each["image"] == image)
      found.push_back({box_of(each["box"]), each["label"], each["score"]});
  }
  meter.add(image, objects, found);
}

void expect_scores(const VocScores& scores, const Json& expected) {
  double sum07 = 0, sum = 0, count = 0;
  for (size_t label = 0; label < kVocClasses; ++label) {
    const Json& ap = expected[label];
    EXPECT_EQ(std::isnan(scores.class_ap[label]), ap.is_null());
    EXPECT_EQ(std::isnan(scores.class_ap07[label]), ap.is_null());
    if (ap.is_null()) continue;
    EXPECT_NEAR(scores.class_ap07[label], ap[0].get<double>(), 1e-12) << label;
    EXPECT_NEAR(scores.class_ap[label], ap[1].get<double>(), 1e-12) << label;
    sum07 += ap[0].get<double>(), sum += ap[1].get<double>(), ++count;
  }
  EXPECT_NEAR(scores.map07, sum07 / count, 1e-12);
  EXPECT_NEAR(scores.map, sum / count, 1e-12);
}

TEST(VocAp, IsThatOfTheDevelopmentKit) {
  const Json sets =
      Json::parse(read_file(std::string(MOBILEONE_SOURCE_DIR) + "/tests/golden/voc_ap.json"));
  ASSERT_GT(sets.size(), 3u);
  for (const Json& set : sets) {
    VocMeter meter(kVocClasses);
    for (int64_t image = kVocImages; image-- > 0;) add(meter, set, image);
    expect_scores(meter.scores(), set["expected"]);
    as_processes(3, [&](const Processes& processes) {
      VocMeter part(kVocClasses);
      for (int64_t image = processes.rank(); image < kVocImages; image += processes.size()) {
        add(part, set, image);
      }
      part.sum_over(processes);
      expect_scores(part.scores(), set["expected"]);
    });
  }
}

/// The AP of one class, of one object unless it is difficult.
double ap_of(const Object& object, const std::vector<Detection>& found) {
  VocMeter meter(1);
  meter.add(1, std::vector{object, Object{.box = {500, 500, 510, 510}}}, found);
  return meter.scores().map;
}

TEST(VocAp, HalfAnOverlapIsEnough) {
  const Object object{.box = {0, 0, 10, 10}};
  EXPECT_EQ(ap_of(object, {{{0, 0, 10, 5}, 0, 1}}), 0.5);
  EXPECT_EQ(ap_of(object, {{{0, 0, 10, 4.9}, 0, 1}}), 0);
}

TEST(VocAp, OnlyTheObjectThatIsOverlappedMostIsLookedAt) {
  const Detection at_first{{0, 0, 10, 10}, 0, 0.9}, between{{0, 0, 10, 12}, 0, 0.8};
  VocMeter meter(1);
  meter.add(1, std::vector<Object>{{.box = {0, 0, 10, 10}}, {.box = {0, 4, 10, 14}}},
            std::vector{at_first, between});
  EXPECT_EQ(meter.scores().map, 0.5) << "the second detection is of the first object, too";
}

TEST(VocAp, WhatIsDifficultIsNotJudged) {
  const Object object{.box = {0, 0, 10, 10}, .difficult = true};
  const Detection of_other{{500, 500, 510, 510}, 0, 0.1}, of_it{object.box, 0, 0.9};
  EXPECT_EQ(ap_of(object, {of_it, of_it, of_other}), 1);
}

}  // namespace
}  // namespace mobileone
