#include "mobileone/data/coco.h"

#include <nlohmann/json.hpp>

#include "data/support.h"

namespace mobileone {
namespace {

using Json = nlohmann::json;

class Coco : public testing::Test {
 protected:
  /// Two images, the second without annotations; categories with a gap.
  static Json example() {
    return Json::parse(R"({
      "info": {"images": [1, 2], "year": 2017}, "licenses": [{"id": 1}],
      "annotations": [
        {"id": 7, "image_id": 900100184613, "category_id": 13, "bbox": [1, 2.5, 3, 4], "area": 6.5,
         "iscrowd": 0, "segmentation": [[1, 2.5, 4, 2.5, 4, 6.5], [0, 0, 1, 0, 1, 1]]},
        {"id": 9, "image_id": 900100184613, "category_id": 1, "bbox": [0, 0, 3, 2], "iscrowd": 1,
         "segmentation": {"size": [8, 10], "counts": [3, 2, 75]}},
        {"id": 8, "image_id": 900100184613, "category_id": 1, "bbox": [0, 0, 3, 2],
         "segmentation": []}],
      "images": [
        {"id": 900100184613, "file_name": "a.jpg", "height": 8, "width": 10.0, "flickr_url": "x"},
        {"id": 2, "file_name": "b/c.png", "height": 4, "width": 5}],
      "categories": [{"id": 13, "name": "stop sign"}, {"id": 1, "name": " person\n"}]})");
  }
  CocoAnnotations read(const Json& json, CocoParts parts = CocoParts::kAll) const {
    return read_coco(folder_.write("x.json", json.dump()), parts);
  }
  std::string error_of_text(const std::string& text) const {
    const std::string path = folder_.write("x.json", text);
    const std::string error = error_of([&] { read_coco(path); });
    return error.starts_with(path + ": ") ? error.substr(path.size() + 2) : "elsewhere: " + error;
  }
  std::string error_with(const std::string& pointer, const Json& value) const {
    Json json = example();
    json[Json::json_pointer(pointer)] = value;
    return error_of_text(json.dump());
  }
  std::string error_without(const std::string& parent, const std::string& key) const {
    Json json = example();
    json[Json::json_pointer(parent)].erase(key);
    return error_of_text(json.dump());
  }

  TestFolder folder_;
};

TEST_F(Coco, HoldsWhatTheFileSays) {
  const CocoAnnotations coco = read(example());
  ASSERT_EQ(coco.images.size(), 2u);
  ASSERT_EQ(coco.categories.size(), 2u);
  EXPECT_EQ(coco.categories[0].name, "person");
  EXPECT_EQ(coco.categories[1].id, 13);
  const CocoImage& image = coco.images[0];
  EXPECT_EQ(image.id, 900100184613);
  EXPECT_EQ(image.file_name, "a.jpg");
  EXPECT_EQ(image.height, 8);
  EXPECT_EQ(image.width, 10);
  ASSERT_EQ(image.objects.size(), 3u);
  const CocoObject& object = image.objects[0];
  EXPECT_EQ(object.id, 7);
  EXPECT_EQ(object.category, 1);
  EXPECT_EQ(object.box, (std::array<double, 4>{1, 2.5, 3, 4}));
  EXPECT_EQ(object.area, 6.5);
  EXPECT_FALSE(object.is_crowd);
  EXPECT_EQ(std::get<std::vector<Polygon>>(object.segmentation)[1], (Polygon{0, 0, 1, 0, 1, 1}));
  EXPECT_TRUE(image.objects[1].is_crowd);
  EXPECT_EQ(std::get<Rle>(image.objects[1].segmentation).counts, (std::vector<uint32_t>{3, 2, 75}));
  EXPECT_TRUE(coco.images[1].objects.empty());
}

TEST_F(Coco, MayLeaveOutWhatABoxTells) {
  const CocoAnnotations coco = read(example());
  const CocoObject& object = coco.images[0].objects[2];
  EXPECT_EQ(object.area, 6);
  EXPECT_FALSE(object.is_crowd);
  EXPECT_EQ(object_rle(object, coco.images[0], "x").counts, std::vector<uint32_t>{80});
}

TEST_F(Coco, ForBoxesKeepsNoShapes) {
  const CocoAnnotations coco = read(example(), CocoParts::kBoxes);
  ASSERT_EQ(coco.images[0].objects.size(), 3u);
  for (const CocoObject& object : coco.images[0].objects) {
    EXPECT_TRUE(std::get<std::vector<Polygon>>(object.segmentation).empty());
  }
}

TEST_F(Coco, RunsMayBeCompressed) {
  Json json = example();
  json["annotations"][1]["segmentation"]["counts"] = "32[2";
  const CocoAnnotations coco = read(json);
  EXPECT_EQ(std::get<Rle>(coco.images[0].objects[1].segmentation).counts,
            (std::vector<uint32_t>{3, 2, 75}));
}

TEST_F(Coco, ReadsABoxWithoutArea) {  // COCO has one of height 0
  Json json = example();
  json["annotations"][0]["bbox"] = {1, 2, 3, 0};
  EXPECT_EQ(read(json).images[0].objects[0].box[3], 0);
}

TEST_F(Coco, IsNothingElse) {
  EXPECT_EQ(error_of_text(""), "is empty");
  EXPECT_EQ(error_of_text("id,name\n"),
            "is text that begins with `id,name`, expected COCO's annotations as JSON");
  EXPECT_EQ(error_of_text("[{\"image_id\": 1}]"),
            "is a JSON list, expected an object with COCO's images, annotations and categories");
  EXPECT_EQ(error_of_text("{\"images\": []}"),
            "is JSON without `annotations`, expected an object with COCO's images, annotations and "
            "categories");
  EXPECT_EQ(error_of_text("{\"images\": {}}"), "`images` is no list");
  EXPECT_EQ(error_of_text("{\"images\": [7]}"), "images[0] is no object");
  EXPECT_EQ(error_with("/images", Json::array()), "has no images");
}

TEST_F(Coco, WhereItIsNoJsonSaysWhere) {
  const std::string text = example().dump();
  for (const size_t length : {text.size() - 1, text.size() / 2, size_t{1}}) {
    EXPECT_TRUE(error_of_text(text.substr(0, length))
                    .starts_with(fmt::format("byte {}: is no sound JSON: parse error", length + 1)))
        << length;
  }
  EXPECT_EQ(error_of_text("{\"images\": [{\"id\": NaN}]}"),
            "byte 20: is no sound JSON: parse error at line 1, column 20: syntax error while "
            "parsing value - invalid literal; last read: '\"id\": N'");
  EXPECT_EQ(error_of_text("{\"images\": [{\"id\": 1e999}]}"),
            "is no sound JSON: number overflow parsing '1e999'");
}

TEST_F(Coco, NamesAnAnnotationThatIsWrong) {
  const std::string of = "annotation 7: ";
  EXPECT_EQ(error_without("/annotations/0", "id"), "annotations[0]: has no `id`");
  EXPECT_EQ(error_with("/annotations/0/id", "7"),
            "annotations[0]: `id` is \"7\", expected an integer from 0 to 9007199254740992");
  EXPECT_EQ(error_with("/annotations/1/id", 7), of + "is there twice");
  EXPECT_EQ(error_without("/annotations/0", "image_id"), of + "has no `image_id`");
  EXPECT_EQ(error_with("/annotations/0/image_id", 3),
            of + "its image_id is 3, expected the id of one of the 2 that the file has");
  EXPECT_EQ(error_with("/annotations/0/category_id", 2),
            of + "its category_id is 2, expected the id of one of the 2 that the file has");
  Json both = example();
  for (Json& annotation : both["annotations"]) annotation["category_id"] = 2;
  EXPECT_EQ(
      error_of_text(both.dump()),
      fmt::format("{}its category_id is 2, expected the id of one of the 2 that the file has; "
                  "{} annotations are of unknown ones",
                  of, both["annotations"].size()));
  EXPECT_EQ(error_with("/annotations/0/area", -1),
            of + "`area` is -1, expected a number from 0 to 1099511627776");
  EXPECT_EQ(error_with("/annotations/0/iscrowd", 2),
            of + "`iscrowd` is 2, expected an integer from 0 to 1");
  const std::string box = ", expected left, top, width and height, px, sizes not negative";
  for (const Json& wrong :
       {Json{1, 2, 3}, Json{1, 2, -3, 4}, Json{1, 2, nullptr, 4}, Json{1e7, 2, 3, 4}, Json("x")}) {
    EXPECT_EQ(error_with("/annotations/0/bbox", wrong), of + "`bbox` is " + wrong.dump() + box);
  }
}

TEST_F(Coco, NamesAShapeThatIsWrong) {
  const std::string polygon = "/annotations/0/segmentation/0", of = "annotation 7: ";
  EXPECT_EQ(error_with(polygon, {1, 2, 3, 4}),
            of + "`segmentation` is [1,2,3,4], expected x and y of each of three or more vertices");
  EXPECT_EQ(error_with(polygon, {1, 2, 3, 4, 5, 6, 7}),
            of + "`segmentation` is [1,2,3,4,5,6,7], expected x and y of each of three or more "
                 "vertices");
  EXPECT_EQ(error_with(polygon + "/2", "4"),
            of + "`segmentation` is \"4\", expected a number from -1048576 to 1048576");
  EXPECT_EQ(error_with(polygon + "/2", -2e6),
            of + "`segmentation` is -2000000.0, expected a number from -1048576 to 1048576");
  EXPECT_EQ(error_with("/annotations/0/segmentation", "x"),
            of + "`segmentation` is \"x\", expected a list of polygons, or runs");
  const std::string runs = "/annotations/1/segmentation", crowd = "annotation 9: ";
  EXPECT_EQ(error_with(runs, {{"counts", "x"}}),
            crowd +
                "`segmentation` is {\"counts\":\"x\"}, expected {\"size\": [height, width], "
                "\"counts\": ...}");
  EXPECT_EQ(error_with(runs + "/counts", {3, 2}),
            crowd + "its `counts` are of 5 pixels, expected 8 x 10");
  EXPECT_EQ(error_with(runs + "/counts/0", -3),
            crowd + "`counts` is -3, expected an integer from 0 to 4294967295");
  EXPECT_EQ(error_with(runs + "/counts", "~"),
            crowd + "`~` in its compressed `counts` is none of the characters `0` to `o`");
  EXPECT_EQ(error_with(runs + "/size", {10, 8}),
            crowd + "its runs are of 8 x 10 px, expected 10 x 8 as image 900100184613");
}

TEST_F(Coco, NamesAnImageOrACategoryThatIsWrong) {
  EXPECT_EQ(error_with("/images/1/id", 900100184613), "image 900100184613: is there twice");
  EXPECT_EQ(error_with("/images/1/file_name", "a.jpg"),
            "image 2: its file_name `a.jpg` is that of another");
  EXPECT_EQ(error_with("/images/1/file_name", " "),
            "image 2: `file_name` is \" \", expected a text");
  EXPECT_EQ(error_with("/images/1/height", 0),
            "image 2: `height` is 0, expected an integer from 1 to 65535");
  EXPECT_EQ(error_with("/images/1/width", 4.5),
            "image 2: `width` is 4.5, expected an integer from 1 to 65535");
  EXPECT_EQ(error_with("/images/1",
                       {{"id", 2}, {"file_name", "b"}, {"height", 60'000}, {"width", 60'000}}),
            "image 2: has 60000 x 60000 pixels, more than the 178 million that are read");
  EXPECT_EQ(error_with("/categories/1/id", 13), "category 13: is there twice");
  EXPECT_EQ(error_with("/categories/1/name", "stop sign"),
            "category 1: its name `stop sign` is that of another");
  EXPECT_EQ(error_without("/categories/1", "name"), "category 1: has no `name`");
}

}  // namespace
}  // namespace mobileone
