#include "mobileone/task/coco_ap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "dist/as_processes.h"
#include "mobileone/util/file.h"
#include "mobileone/util/random.h"
#include "test_folder.h"

namespace mobileone {
namespace {

using Json = nlohmann::json;

/// An image and what was found there.
struct Image {
  int64_t id;
  std::vector<CocoObject> objects = {};
  std::vector<CocoDetection> found = {};
};

CocoMeter judged(int64_t classes, const std::vector<Image>& images) {
  CocoMeter meter(classes);
  for (const auto& [id, objects, found] : images) meter.add(id, objects, found);
  return meter;
}

std::vector<double> numbers_of(const CocoScores& scores) {
  std::vector<double> numbers;
  for (const auto& [name, number] : kCocoNumbers) numbers.push_back(scores.*number);
  numbers.insert(numbers.end(), scores.class_ap.begin(), scores.class_ap.end());
  return numbers;
}

/// -1 stands where there is no number.
void expect_near(const std::vector<double>& actual, const std::vector<double>& expected,
                 const std::string& name) {
  ASSERT_EQ(actual.size(), expected.size()) << name;
  for (size_t i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(std::isnan(actual[i]) ? -1 : actual[i], expected[i], 1e-12) << name << ", " << i;
  }
}

TEST(CocoAp, IsThatOfPycocotools) {
  const TestFolder folder;
  const Json cases =
      Json::parse(read_file(std::string(MOBILEONE_SOURCE_DIR) + "/tests/golden/coco_ap.json"));
  ASSERT_GT(cases.size(), 20u);
  for (const Json& each : cases) {
    const auto coco =
        read_coco(folder.write("instances.json", each["instances"].dump()), CocoParts::kBoxes);
    const auto found =
        read_coco_results(folder.write("results.json", each["results"].dump()), coco);
    std::vector<Image> images;
    for (size_t i = 0; i < found.size(); ++i) {
      images.push_back({coco.images[i].id, coco.images[i].objects, found[i]});
    }
    auto expected = each["expected"].get<std::vector<double>>();
    const auto class_ap = each["class_ap"].get<std::vector<double>>();
    expected.insert(expected.end(), class_ap.begin(), class_ap.end());
    const auto scores = judged(std::ssize(coco.categories), images).scores();
    expect_near(numbers_of(scores), expected, each["name"]);
  }
}

// COCOeval once more, step by step as it is written, for drawn sets.
namespace literal {

double overlap(const std::array<double, 4>& d, const std::array<double, 4>& g, bool crowd) {
  const double w = std::min(d[2] + d[0], g[2] + g[0]) - std::max(d[0], g[0]);
  if (w <= 0) return 0;
  const double h = std::min(d[3] + d[1], g[3] + g[1]) - std::max(d[1], g[1]);
  if (h <= 0) return 0;
  const double i = w * h, u = crowd ? d[2] * d[3] : d[2] * d[3] + g[2] * g[3] - i;
  return i / u;
}

struct Evaluated {
  int64_t image;
  std::vector<double> scores = {};
  std::vector<std::vector<bool>> matched = {}, ignored = {};  // [threshold][detection]
  int64_t objects = 0;
};

Evaluated evaluate(const Image& image, int64_t category, double least, double most) {
  std::vector<CocoObject> objects;
  for (const bool ignored : {false, true}) {
    for (const auto& object : image.objects) {
      const bool is_ignored = object.is_crowd || object.area < least || object.area > most;
      if (object.category == category && is_ignored == ignored) objects.push_back(object);
    }
  }
  const auto is_ignored = [&](size_t g) {
    return objects[g].is_crowd || objects[g].area < least || objects[g].area > most;
  };
  std::vector<CocoDetection> found;
  std::ranges::copy_if(image.found, std::back_inserter(found),
                       [&](const auto& each) { return each.category == category; });
  std::ranges::stable_sort(found, std::greater(), &CocoDetection::score);
  found.resize(std::min<size_t>(found.size(), 100));
  Evaluated result{image.id};
  for (const auto& each : found) result.scores.push_back(each.score);
  for (size_t g = 0; g < objects.size(); ++g) result.objects += !is_ignored(g);
  for (const double threshold : kCocoOverlaps) {
    std::vector<bool> matched(found.size()), ignored(found.size()), taken(objects.size());
    for (size_t d = 0; d < found.size(); ++d) {
      double best = std::min(threshold, 1 - 1e-10);
      std::optional<size_t> match;
      for (size_t g = 0; g < objects.size(); ++g) {
        if (taken[g] && !objects[g].is_crowd) continue;
        if (match && !is_ignored(*match) && is_ignored(g)) break;
        const double value = overlap(found[d].box, objects[g].box, objects[g].is_crowd);
        if (value < best) continue;
        best = value;
        match = g;
      }
      const double area = found[d].box[2] * found[d].box[3];
      matched[d] = match.has_value();
      ignored[d] = match ? is_ignored(*match) : area < least || area > most;
      if (match) taken[*match] = true;
    }
    result.matched.push_back(matched);
    result.ignored.push_back(ignored);
  }
  return result;
}

/// Precision (101 each) and recall, by threshold; empty without objects.
struct Accumulated {
  std::vector<std::vector<double>> precision;
  std::vector<double> recall;
};

Accumulated accumulate(std::vector<Evaluated> images, size_t most) {
  std::ranges::sort(images, {}, &Evaluated::image);
  int64_t objects = 0;
  for (const auto& image : images) objects += image.objects;
  if (objects == 0) return {};
  Accumulated result;
  for (size_t t = 0; t < kCocoOverlaps.size(); ++t) {
    struct Entry {
      double score;
      bool matched, ignored;
    };
    std::vector<Entry> entries;
    for (const auto& image : images) {
      for (size_t d = 0; d < std::min(most, image.scores.size()); ++d) {
        entries.push_back({image.scores[d], image.matched[t][d], image.ignored[t][d]});
      }
    }
    std::ranges::stable_sort(entries, std::greater(), &Entry::score);
    std::vector<double> recall, precision;
    double right = 0, wrong = 0;
    for (const auto& entry : entries) {
      right += entry.matched && !entry.ignored;
      wrong += !entry.matched && !entry.ignored;
      recall.push_back(right / static_cast<double>(objects));
      precision.push_back(right / (wrong + right + 0x1p-52));
    }
    result.recall.push_back(recall.empty() ? 0 : recall.back());
    for (size_t i = precision.size(); i-- > 1;) {
      if (precision[i] > precision[i - 1]) precision[i - 1] = precision[i];
    }
    std::vector<double> curve(101);
    for (size_t i = 0; i < curve.size(); ++i) {
      const auto at = std::ranges::lower_bound(recall, static_cast<double>(i) * 0.01);
      if (at != recall.end()) curve[i] = precision[static_cast<size_t>(at - recall.begin())];
    }
    result.precision.push_back(curve);
  }
  return result;
}

double mean(const std::vector<double>& values) {
  if (values.empty()) return -1;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::vector<double> numbers(int64_t classes, const std::vector<Image>& images) {
  const std::vector<std::pair<double, double>> areas = {
      {0, 1e10}, {0, 1024}, {1024, 9216}, {9216, 1e10}};
  const auto of = [&](int64_t category, size_t area, size_t most) {
    std::vector<Evaluated> evaluated;
    for (const auto& image : images) {
      evaluated.push_back(evaluate(image, category, areas[area].first, areas[area].second));
    }
    return accumulate(evaluated, most);
  };
  /// Of all classes, or one; at all thresholds, or one.
  const auto precision = [&](size_t area, int64_t threshold, int64_t label = -1) {
    std::vector<double> values;
    for (int64_t k = 0; k < classes; ++k) {
      const auto curves = of(k, area, 100).precision;
      for (int64_t t = 0; t < std::ssize(curves); ++t) {
        if ((threshold >= 0 && t != threshold) || (label >= 0 && k != label)) continue;
        const auto& curve = curves[static_cast<size_t>(t)];
        values.insert(values.end(), curve.begin(), curve.end());
      }
    }
    return mean(values);
  };
  const auto recall = [&](size_t area, size_t most) {
    std::vector<double> values;
    for (int64_t k = 0; k < classes; ++k) {
      const auto recalls = of(k, area, most).recall;
      values.insert(values.end(), recalls.begin(), recalls.end());
    }
    return mean(values);
  };
  std::vector<double> result = {precision(0, -1), precision(0, 0),  precision(0, 5),
                                precision(1, -1), precision(2, -1), precision(3, -1),
                                recall(0, 1),     recall(0, 10),    recall(0, 100),
                                recall(1, 100),   recall(2, 100),   recall(3, 100)};
  for (int64_t k = 0; k < classes; ++k) result.push_back(precision(0, -1, k));
  return result;
}

}  // namespace literal

/// Boxes on a grid or of any numbers, scores of which many are equal, crowds, areas at the limits,
/// objects and detections that are the same, classes without either.
std::vector<Image> drawn_images(uint64_t seed, int64_t classes) {
  Random random(seed, {});
  const double step = random.chance(0.3) ? 1 : random.chance(0.5) ? 0.25 : 0.1;
  const int64_t levels = random.chance(0.5) ? 5 : 1000;
  const auto draw_box = [&] {
    constexpr std::array<double, 5> kSides = {10, 32, 40, 96, 110};
    const auto side = [&] {
      return kSides[static_cast<size_t>(random.integer(5))] +
             step * static_cast<double>(random.integer(5) - 2);
    };
    return std::array<double, 4>{step * static_cast<double>(random.integer(90)),
                                 step * static_cast<double>(random.integer(90)), side(), side()};
  };
  std::vector<Image> images;
  for (int64_t i = 1 + random.integer(6); i > 0; --i) {
    Image image{i * (1 + random.integer(3)) * 7 + i};
    for (int64_t j = random.integer(7); j > 0; --j) {
      const bool again = !image.objects.empty() && random.chance(0.2);
      const auto box = again ? image.objects.back().box : draw_box();
      const double area = random.chance(0.2)   ? 1024
                          : random.chance(0.2) ? 9216
                                               : box[2] * box[3] * random.uniform(0.3, 1);
      image.objects.push_back({.category = random.integer(classes),
                               .box = box,
                               .area = area,
                               .is_crowd = random.chance(0.15)});
    }
    for (int64_t j = random.integer(random.chance(0.05) ? 300 : 25); j > 0; --j) {
      CocoDetection detection{draw_box(), random.integer(classes),
                              static_cast<double>(random.integer(levels))};
      if (!image.objects.empty() && random.chance(0.7)) {
        const auto& object =
            image.objects[static_cast<size_t>(random.integer(std::ssize(image.objects)))];
        detection.category = object.category;
        for (size_t k = 0; k < 4; ++k) {
          detection.box[k] = object.box[k] + step * static_cast<double>(random.integer(5) - 2);
        }
      }
      image.found.push_back(detection);
    }
    images.push_back(image);
  }
  return images;
}

TEST(CocoAp, IsThatOfItsStepsTakenOneByOne) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const int64_t classes = 1 + static_cast<int64_t>(seed % 4);
    const auto images = drawn_images(seed, classes);
    expect_near(numbers_of(judged(classes, images).scores()), literal::numbers(classes, images),
                "seed " + std::to_string(seed));
  }
}

void expect_same_bits(const CocoScores& a, const CocoScores& b) {
  const auto same = [](const std::vector<double>& x, const std::vector<double>& y) {
    return std::ranges::equal(
        x, y, [](double p, double q) { return p == q || (std::isnan(p) && std::isnan(q)); });
  };
  EXPECT_TRUE(same(numbers_of(a), numbers_of(b)));
  EXPECT_TRUE(same(a.precision, b.precision));
  EXPECT_TRUE(same(a.class_ap50, b.class_ap50));
  EXPECT_EQ(a.class_objects, b.class_objects);
  EXPECT_EQ(a.class_detections, b.class_detections);
}

TEST(CocoAp, IsTheSameWhateverTheOrderOfTheImages) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    auto images = drawn_images(seed, 3);
    const auto expected = judged(3, images).scores();
    Random random(seed, {1});
    random.shuffle(images);
    const auto middle = images.begin() + random.integer(std::ssize(images) + 1);
    CocoMeter merged = judged(3, {images.begin(), middle});
    merged.merge(judged(3, {middle, images.end()}));
    expect_same_bits(merged.scores(), expected);
  }
}

TEST(CocoAp, IsTheSameOfManyProcesses) {
  const auto images = drawn_images(3, 3);
  const auto expected = judged(3, images).scores();
  as_processes(3, [&](const Processes& processes) {
    std::vector<Image> own;
    for (int64_t i = processes.rank(); i < std::ssize(images); i += processes.size()) {
      own.push_back(images[static_cast<size_t>(i)]);
    }
    CocoMeter meter = judged(3, own);
    meter.sum_over(processes);
    expect_same_bits(meter.scores(), expected);
  });
}

TEST(CocoAp, AnObjectOfNumberZeroCounts) {
  const CocoObject object{.id = 0, .box = {10, 10, 50, 50}, .area = 2500};
  CocoMeter meter(1);
  meter.add(0, std::vector{object}, std::vector{CocoDetection{object.box, 0, 0.5}});
  EXPECT_NEAR(meter.scores().ap, 1, 1e-12);
}

TEST(CocoAp, BoxesByEdgesAreJudgedLikewise) {
  const std::vector<Object> objects = {{.box = {10, 20, 60, 80}, .area = 3000},
                                       {.box = {0, 0, 9, 9}, .area = 81, .difficult = true}};
  const std::vector<Detection> found = {{{10, 20, 60, 80}, 0, 0.5}, {{0, 0, 9, 9}, 0, 0.9}};
  CocoMeter meter(1);
  meter.add(1, coco_objects(objects), coco_detections(found));
  const CocoScores scores = meter.scores();
  EXPECT_NEAR(scores.ap, 1, 1e-12) << "what is difficult is not judged";
  EXPECT_EQ(scores.class_objects, std::vector<int64_t>{1});
}

}  // namespace
}  // namespace mobileone
