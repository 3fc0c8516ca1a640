#include "mobileone/data/rle.h"

#include <map>
#include <sstream>

#include "data/support.h"
#include "mobileone/data/coco.h"
#include "python.h"

namespace mobileone {
namespace {

const std::string kSource = MOBILEONE_SOURCE_DIR;

/// Compares the pixels of a folder's annotations with those of pycocotools, which
/// tools/golden_coco.py wrote there.
void expect_pixels_of_pycocotools(const std::string& folder, int64_t least_annotations) {
  const CocoAnnotations coco = read_coco(folder + "/instances.json");
  std::map<int64_t, std::vector<uint32_t>> expected;
  std::istringstream lines(read_file(folder + "/runs.txt"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream numbers(line);
    int64_t id;
    numbers >> id;
    for (uint32_t run; numbers >> run;) expected[id].push_back(run);
  }
  int64_t count = 0;
  for (const CocoImage& image : coco.images) {
    for (const CocoObject& object : image.objects) {
      const Rle theirs{image.height, image.width, expected.at(object.id)};
      const Rle rle = object_rle(object, image, "x");
      ASSERT_TRUE(rle_mask(rle).equal(rle_mask(theirs)))
          << object.id << " in " << image.width << " x " << image.height;
      ++count;
    }
  }
  EXPECT_GE(count, least_annotations);
}

bool run_golden(const std::string& arguments) {
  const auto command =
      fmt::format("'{}' '{}/tools/golden_coco.py' {}", kPython, kSource, arguments);
  return std::system(command.c_str()) == 0;
}

TEST(Rle, HasThePixelsOfPycocotools) {
  expect_pixels_of_pycocotools(kSource + "/tests/golden/coco", 60);
}

TEST(Rle, HasThePixelsOfPycocotoolsInThousandsOfOddShapes) {
  if (!python_has("numpy, pycocotools")) GTEST_SKIP() << "needs pycocotools: scripts/setup.sh";
  const TestFolder folder;
  ASSERT_TRUE(run_golden(folder.path() + " 6000"));
  expect_pixels_of_pycocotools(folder.path(), 6000);
}

TEST(Rle, HasThePixelsOfPycocotoolsInPhotographs) {
  if (!python_has("numpy, pycocotools")) GTEST_SKIP() << "needs pycocotools: scripts/setup.sh";
  const std::string file = "/work/shared/data/coco128/annotations/instances_train2017.json";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "there is no " << file;
  const TestFolder folder;
  ASSERT_TRUE(run_golden(folder.path() + " " + file));
  expect_pixels_of_pycocotools(folder.path(), 939);
}

TEST(Rle, OfAPolygonRunsDownTheColumns) {
  const Rle rle = polygon_rle({1, 1, 3, 1, 3, 3, 1, 3}, 4, 5, "x");
  EXPECT_EQ(rle.counts, (std::vector<uint32_t>{5, 2, 2, 2, 9}));
  EXPECT_EQ(rle_mask(rle).sum().item<int64_t>(), 4);
}

TEST(Rle, OfNothingIsOneRunOutside) {
  const std::vector<uint32_t> all = {20};
  EXPECT_EQ(polygon_rle({}, 4, 5, "x").counts, all);
  EXPECT_EQ(polygon_rle({-9, -9, -5, -9, -5, -5}, 4, 5, "x").counts, all);
}

TEST(Rle, OfAFarPolygonTakesNoLongerThanItsImage) {
  constexpr double kFar = kMostCoordinate;
  const Polygon around = {-kFar, -kFar, kFar, -kFar, kFar, kFar, -kFar, kFar};
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_EQ(polygon_rle(around, 2, 2, "x").counts, (std::vector<uint32_t>{0, 4}));
  }
}

TEST(Rle, RefusesAPolygonOfCountlessCrossings) {
  Polygon zigzag;
  for (int i = 0; i < 2000; ++i) {
    for (const double value : {0.0, 0.0, 10'000.0, 1.0}) zigzag.push_back(value);
  }
  EXPECT_EQ(error_of([&] { polygon_rle(zigzag, 2, 10'000, "annotation 7"); }),
            "annotation 7: a polygon's edges pass more than 16777216 columns of pixels");
}

TEST(Rle, JoinsRunsThatTouch) {
  const Rle a{1, 10, {2, 2, 6}}, b{1, 10, {4, 1, 2, 3}}, c{1, 10, {3, 1, 6}};
  EXPECT_EQ(unite({a, b, c}).counts, (std::vector<uint32_t>{2, 3, 2, 3}));
  EXPECT_EQ(unite({a}).counts, a.counts);
}

TEST(RleCounts, AreReadFromTheirCompressedForm) {
  EXPECT_EQ(parse_rle_counts("", "x"), std::vector<uint32_t>{});
  EXPECT_EQ(parse_rle_counts("05", "x"), (std::vector<uint32_t>{0, 5}));
  EXPECT_EQ(parse_rle_counts("P15", "x"), (std::vector<uint32_t>{32, 5}));
  EXPECT_EQ(parse_rle_counts("1230O", "x"), (std::vector<uint32_t>{1, 2, 3, 2, 2}));
}

TEST(RleCounts, OfOtherFormsAreRefused) {
  EXPECT_EQ(error_of([] { parse_rle_counts("1P", "x"); }),
            "x: its compressed `counts` end within a number");
  EXPECT_EQ(error_of([] { parse_rle_counts("1~", "x"); }),
            "x: `~` in its compressed `counts` is none of the characters `0` to `o`");
  EXPECT_EQ(error_of([] { parse_rle_counts("O", "x"); }), "x: has a run of -1 pixels");
  EXPECT_EQ(error_of([] { parse_rle_counts("PPPPPP4", "x"); }),
            "x: has a run of 4294967296 pixels");
  EXPECT_EQ(error_of([] { parse_rle_counts("PPPPPPPP4", "x"); }),
            "x: has a run of 2^32 pixels or more");
}

}  // namespace
}  // namespace mobileone
