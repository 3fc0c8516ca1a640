#include "mobileone/data/coco_results.h"

#include <nlohmann/json.hpp>

#include "data/support.h"
#include "mobileone/util/random.h"
#include "support/error_of.h"

namespace mobileone {
namespace {

using Json = nlohmann::json;

class CocoResults : public testing::Test {
 protected:
  static Json example() {
    return Json::parse(R"([
      {"image_id": 9, "category_id": 13, "bbox": [1, 2.5, 3, 4], "score": 0.25, "segmentation": {}},
      {"image_id": 2, "category_id": 1, "bbox": [-3, 0, 0, 2e1], "score": -1, "id": [[]]},
      {"image_id": 9.0, "category_id": 13, "bbox": [0.1, 0, 7, 8], "score": 7}])");
  }
  std::vector<std::vector<CocoDetection>> read(const std::string& text) const {
    return read_coco_results(folder_.write("r.json", text), annotations_);
  }
  std::string error_of_text(const std::string& text) const {
    const std::string start = folder_.path("r.json") + ": ";
    const std::string error = error_of([&] { read(text); });
    return error.starts_with(start) ? error.substr(start.size()) : "elsewhere: " + error;
  }
  std::string error_with(const std::string& pointer, const Json& value) const {
    Json json = example();
    json[Json::json_pointer(pointer)] = value;
    return error_of_text(json.dump());
  }

  TestFolder folder_;
  CocoAnnotations annotations_{
      "i.json", {{2, "a.jpg"}, {5, "b.jpg"}, {9, "c.jpg"}}, {{1, "person"}, {13, "sign"}}};
};

TEST_F(CocoResults, AreOfImagesAndCategoriesByTheirIds) {
  const auto found = read(example().dump());
  ASSERT_EQ(found.size(), 3u);
  ASSERT_EQ(found[0].size(), 1u);
  EXPECT_EQ(found[0][0].category, 0);
  EXPECT_EQ(found[0][0].box, (std::array<double, 4>{-3, 0, 0, 20}));
  EXPECT_EQ(found[0][0].score, -1);
  EXPECT_TRUE(found[1].empty());
  ASSERT_EQ(found[2].size(), 2u);
  EXPECT_EQ(found[2][0].category, 1);
  EXPECT_EQ(found[2][0].box, (std::array<double, 4>{1, 2.5, 3, 4}));
  EXPECT_EQ(found[2][1].score, 7);
}

TEST_F(CocoResults, MayBeNone) {
  EXPECT_EQ(read(" [ ]\n"), std::vector<std::vector<CocoDetection>>(3));
}

TEST_F(CocoResults, SayWhatIsWrongWithThem) {
  EXPECT_EQ(error_of_text(""), "is empty");
  EXPECT_EQ(error_of_text("{\"images\": []}"), "is no JSON list, expected COCO's results");
  EXPECT_EQ(error_of_text("[[]]"), "results[0] is no object");
  EXPECT_EQ(error_of_text("[{}]"), "results[0]: has no `image_id`");
  EXPECT_EQ(error_of_text("hello"),
            "is text that begins with `hello`, expected COCO's results as JSON");
  EXPECT_TRUE(error_of_text("[{\"score\": NaN}]").starts_with("byte 12: is no sound JSON: "))
      << error_of_text("[{\"score\": NaN}]");
  EXPECT_EQ(error_with("/1/image_id", "2"),
            "results[1]: `image_id` is \"2\", expected an integer from 0 to 9007199254740992");
  EXPECT_EQ(error_with("/2/score", Json()), "results[2]: has no `score`");
  EXPECT_EQ(error_with("/2/score", "high"), "results[2]: `score` is \"high\", expected a number");
  const std::string box = ", expected left, top, width and height, px, sizes not negative";
  EXPECT_EQ(error_with("/0/bbox", {1, 2, 3}), "results[0]: `bbox` is [1,2,3]" + box);
  EXPECT_EQ(error_with("/0/bbox/2", -1), "results[0]: `bbox` is [1,2.5,-1,4]" + box);
}

TEST_F(CocoResults, CountThoseOfUnknownImagesAndCategories) {
  EXPECT_EQ(error_with("/1/category_id", 3),
            "results[1]: its category_id is 3, expected the id of one of the 2 that i.json has");
  Json json = example();
  json[0]["image_id"] = 3;
  json[2]["image_id"] = 4;
  EXPECT_EQ(error_of_text(json.dump()),
            "results[0]: its image_id is 3, expected the id of one of the 3 that i.json has; 2 "
            "results are of unknown ones");
}

TEST_F(CocoResults, AreReadAsTheyWereWritten) {
  const ObjectTable table{
      .objects = {}, .ends = {0, 0, 0}, .image_ids = {2, 5, 9}, .category_ids = {1, 13}};
  Random random(0);
  std::vector<std::vector<Detection>> found(3);
  for (int64_t i = 0; i < 100; ++i) {
    const double left = random.uniform(-5, 600), top = random.uniform(0, 1e-3);
    found[static_cast<size_t>(2 * random.integer(2))].push_back(
        {{left, top, left + random.uniform(0, 500), top + 1},
         static_cast<int32_t>(random.integer(2)),
         random.uniform()});
  }
  write_coco_results(folder_.path("r.json"), table, found);
  const auto read_back = read_coco_results(folder_.path("r.json"), annotations_);
  for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(read_back[i], coco_detections(found[i])) << i;
  write_coco_results(folder_.path("r.json"), table, std::vector<std::vector<Detection>>(3));
  EXPECT_TRUE(read_coco_results(folder_.path("r.json"), annotations_)[0].empty());
}

}  // namespace
}  // namespace mobileone
