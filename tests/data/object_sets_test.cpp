#include "mobileone/data/object_sets.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/support.h"
#include "mobileone/data/mask_sets.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;
using Json = nlohmann::json;

class ObjectSets : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_.path(name); }

  void draw(const std::string& name, int64_t height = 40, int64_t width = 80) const {
    write_png(path(name), at::zeros({height, width, 3}, at::kByte));
  }

  /// Reads the set, and what is warned of.
  ImageList read(const std::string& name, const std::string& annotations = "",
                 const DataConfig& data = {}) {
    testing::internal::CaptureStderr();
    try {
      ImageList list = read_object_list(path(name), annotations, data);
      warning_ = testing::internal::GetCapturedStderr();
      return list;
    } catch (...) {
      testing::internal::GetCapturedStderr();
      throw;
    }
  }

  /// Without the folder of the test.
  std::string error_of_reading(const std::string& name, const std::string& annotations = "") {
    std::string error = error_of([&] { read(name, annotations); });
    for (size_t at = 0; (at = error.find(folder_.path() + "/")) != error.npos;) {
      error.erase(at, folder_.path().size() + 1);
    }
    return error;
  }

  bool warns(const std::string& of) const { return warning_.find(of) != std::string::npos; }

  // A set of each kind: two images, a.png (with objects) and b.png (without).

  static Json coco() {
    return Json::parse(R"({
      "images": [{"id": 12, "file_name": "b.png", "height": 40, "width": 80},
                 {"id": 0, "file_name": "a.png", "height": 40, "width": 80}],
      "categories": [{"id": 90, "name": "dog"}, {"id": 1, "name": "cat"}],
      "annotations": [
        {"id": 0, "image_id": 0, "category_id": 90, "bbox": [10, 20, 30, 10], "area": 250.5,
         "iscrowd": 0},
        {"id": 5, "image_id": 0, "category_id": 1, "bbox": [0, 0, 80, 40], "iscrowd": 1}]})");
  }
  void write_coco(const Json& json) const {
    draw("train2017/a.png");
    draw("train2017/b.png");
    folder_.write("annotations/instances_train2017.json", json.dump());
  }

  static std::string voc(const std::string& objects) {
    return "<annotation><size><width>80</width><height>40</height></size>" + objects +
           "</annotation>";
  }
  static std::string voc_object(const std::string& name, int xmin, int ymin, int xmax, int ymax,
                                const std::string& more = "") {
    return fmt::format(
        "<object><name>{}</name>{}<bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax>"
        "<ymax>{}</ymax></bndbox></object>",
        name, more, xmin, ymin, xmax, ymax);
  }
  void write_voc(const std::string& objects) const {
    draw("JPEGImages/a.png");
    draw("JPEGImages/b.png");
    folder_.write("Annotations/a.xml", voc(objects));
    folder_.write("Annotations/b.xml", voc(""));
    folder_.write("ImageSets/Main/train.txt", "b -1\na  1\n\n");
  }

  void write_yolo(const std::string& lines) const {
    draw("images/train/a.png");
    draw("images/train/b.png");
    folder_.write("labels/train/a.txt", lines);
    folder_.write("classes.txt", "cat\ndog\n");
  }

  TestFolder folder_;
  std::string warning_;
};

TEST_F(ObjectSets, OfCoco) {
  write_coco(coco());
  for (const auto& [name, annotations] : {std::pair{"train2017", ""},
                                          {"annotations/instances_train2017.json", ""},
                                          {"train2017", "annotations/instances_train2017.json"}}) {
    const ImageList list = read(name, *annotations == 0 ? "" : path(annotations));
    EXPECT_EQ(warning_, "");
    EXPECT_EQ(list.class_names, (std::vector<std::string>{"cat", "dog"}));
    ASSERT_EQ(list.size(), 2);
    EXPECT_EQ(list.labels, (std::vector<int32_t>{-1, -1}));
    EXPECT_EQ(list.name(0), path("train2017/a.png")) << "by id";
    EXPECT_EQ(list.storage->relative_name(1), "b.png");
    EXPECT_EQ(list.objects->image_ids, (std::vector<int64_t>{0, 12}));
    EXPECT_EQ(list.objects->category_ids, (std::vector<int64_t>{1, 90}));
    EXPECT_EQ(list.annotation(0).objects,
              (std::vector<Object>{{.box = {10, 20, 40, 30}, .label = 1, .area = 250.5},
                                   {.box = {0, 0, 80, 40}, .area = 3200, .crowd = true}}));
    EXPECT_TRUE(list.annotation(1).objects.empty());
  }
}

TEST_F(ObjectSets, OfCocoNamesImagesThatAreMissing) {
  write_coco(coco());
  fs::remove(path("train2017/b.png"));
  EXPECT_EQ(error_of_reading("train2017"),
            "annotations/instances_train2017.json: 1 of its 2 images are not there, the first "
            "train2017/b.png; name their folder as the data and this file as its annotations");
}

TEST_F(ObjectSets, OfCocoCountsUnusualBoxes) {
  Json json = coco();
  json["annotations"][0]["bbox"] = {10, 20, 0, 10};
  json["annotations"][1]["bbox"] = {-1, 0, 80, 40};
  write_coco(json);
  EXPECT_EQ(read("train2017").objects->objects.size(), 2u);
  EXPECT_TRUE(warns("boxes that are empty: 1, the first of ")) << warning_;
  EXPECT_TRUE(warns("boxes that reach out of their images: 1, the first of ")) << warning_;
}

TEST_F(ObjectSets, OfCocoWithMistakes) {
  Json json = coco();
  json["annotations"][1]["id"] = 0;
  write_coco(json);
  EXPECT_NE(error_of_reading("train2017").find("annotation 0: is there twice"), std::string::npos)
      << error_of_reading("train2017");
  for (const auto& [key, message] : {std::pair{"image_id", "annotation 5: its image_id is 77"},
                                     {"category_id", "annotation 5: its category_id is 77"}}) {
    json = coco();
    json["annotations"][1][key] = 77;
    write_coco(json);
    EXPECT_NE(error_of_reading("train2017").find(message), std::string::npos)
        << error_of_reading("train2017");
  }
  const std::string text = coco().dump();
  folder_.write("annotations/instances_train2017.json", text.substr(0, 100));
  EXPECT_NE(error_of_reading("train2017").find("line 1, column 101"), std::string::npos)
      << error_of_reading("train2017");
}

TEST_F(ObjectSets, OfVoc) {
  write_voc(voc_object("dog", 11, 21, 40, 30, "<difficult>1</difficult>") +
            voc_object("cat", 1, 1, 80, 40));
  const std::vector<Object> objects = {
      {.box = {10, 20, 40, 30}, .label = 11, .area = 300, .difficult = true},
      {.box = {0, 0, 80, 40}, .label = 7, .area = 3200}};
  const ImageList folder = read("JPEGImages"), listed = read("ImageSets/Main/train.txt");
  EXPECT_EQ(warning_, "");
  EXPECT_EQ(folder.annotation(0).objects, objects);
  EXPECT_EQ(listed.annotation(1).objects, objects) << "in the list's order";
  EXPECT_TRUE(listed.annotation(0).objects.empty());
  ASSERT_EQ(folder.class_names.size(), 20u) << "VOC's";
  EXPECT_EQ(folder.class_names[11], "dog");
}

TEST_F(ObjectSets, OfVocHasTheClassesOfClassesTxtOrThoseThatOccur) {
  write_voc(voc_object("RBC", 11, 21, 40, 30) + voc_object("cat", 1, 1, 80, 40));
  EXPECT_EQ(read("JPEGImages").class_names, (std::vector<std::string>{"RBC", "cat"}));
  folder_.write("classes.txt", "WBC\nRBC\ncat\n");
  for (const char* name : {"JPEGImages", "ImageSets/Main/train.txt"}) {
    const ImageList list = read(name);
    EXPECT_EQ(list.class_names, (std::vector<std::string>{"WBC", "RBC", "cat"})) << name;
    EXPECT_EQ(list.objects->objects[0].label, 1) << name;
  }
  folder_.write("classes.txt", "cat\n");
  EXPECT_EQ(error_of_reading("JPEGImages"),
            "Annotations/a.xml: is of the class 'RBC', which classes.txt does not name");
}

TEST_F(ObjectSets, OfVocNamesWhatIsMissing) {
  write_voc(voc_object("cat", 1, 1, 80, 40));
  fs::remove(path("Annotations/b.xml"));
  EXPECT_EQ(error_of_reading("ImageSets/Main/train.txt"),
            "ImageSets/Main/train.txt:1: there is no annotation Annotations/b.xml");
  EXPECT_EQ(error_of_reading("JPEGImages"),
            "JPEGImages/b.png: has no annotation (expected Annotations/b.xml)");
  fs::remove(path("JPEGImages/a.png"));
  folder_.write("Annotations/b.xml", voc(""));
  EXPECT_EQ(error_of_reading("ImageSets/Main/train.txt"),
            "ImageSets/Main/train.txt:2: there is no image JPEGImages/a.jpg");
  folder_.write("ImageSets/Main/train.txt", "\n");
  EXPECT_EQ(error_of_reading("ImageSets/Main/train.txt"),
            "ImageSets/Main/train.txt: lists no images");
}

TEST_F(ObjectSets, OfYolo) {
  write_yolo("1 0.25 0.5 0.25 0.5\r\n\n0 0.1 0.2 0.5 0.2 0.3 0.8\n");
  DataConfig data;
  data.format = DataFormat::kYolo;
  for (const DataConfig& config : {DataConfig(), data}) {
    const ImageList list = read("images/train", "", config);
    EXPECT_EQ(list.class_names, (std::vector<std::string>{"cat", "dog"}));
    ASSERT_EQ(list.size(), 2);
    const auto objects = list.annotation(0).objects;
    ASSERT_EQ(objects.size(), 2u);
    EXPECT_EQ(objects[0], (Object{.box = {10, 10, 30, 30}, .label = 1, .area = 400}));
    EXPECT_EQ(objects[1].box, (Box{8, 8, 40, 32})) << "that of its polygon";
    EXPECT_TRUE(list.annotation(1).objects.empty()) << "it has no file";
  }
}

TEST_F(ObjectSets, OfYoloAreSharesOfTheImageAsItIsDecoded) {
  fs::create_directories(path("images"));
  fs::copy(golden("orientation6.jpg"), path("images/a.jpg"));
  folder_.write("labels/a.txt", "0 0.5 0.5 1 0.5\n");
  for (const bool upright : {false, true}) {
    DataConfig data;
    data.exif_orientation = upright;
    const ImageList list = read("images", "", data);
    const at::Tensor image = read_pixels(list, 0, upright);
    const auto width = static_cast<double>(image.size(1));
    const auto height = static_cast<double>(image.size(0));
    ASSERT_NE(width, height);
    EXPECT_EQ(list.objects->objects[0].box, (Box{0, height / 4, width, height * 3 / 4}));
  }
}

TEST_F(ObjectSets, OfYoloMayBeginWithAByteOrderMark) {
  write_yolo(
      "\xef\xbb\xbf"
      "1 0.25 0.5 0.25 0.5\n");
  EXPECT_EQ(read("images/train").annotation(0).objects.size(), 1u);
}

TEST_F(ObjectSets, OfYoloNumbersClassesWithoutNames) {
  write_yolo("4 0.25 0.5 0.25 0.5\n");
  fs::remove(path("classes.txt"));
  EXPECT_EQ(read("images/train").class_names, (std::vector<std::string>{"0", "1", "2", "3", "4"}));
}

TEST_F(ObjectSets, OfYoloAreNamedByYaml) {
  write_yolo("1 0.25 0.5 0.25 0.5\n");
  fs::remove(path("classes.txt"));
  const std::vector<std::string> expected = {"cat", "dog: big", "2"};
  for (const char* yaml : {"nc: 3\nnames: [cat, 'dog: big', 2]\n",
                           "train: x\nnames:\n  2: 2\n  0: cat\n  1: 'dog: big'\n"}) {
    folder_.write("data.yaml", yaml);
    EXPECT_EQ(read("images/train").class_names, expected) << yaml;
  }
  const std::string form = "; expected `names: [cat, dog]` or `names: {0: cat, 1: dog}`";
  for (const auto& [yaml, error] :
       {std::pair{"nc: 3", "has no list of names"},
        {"[1, 2]", "has no list of names"},
        {"names: cat", "has no list of names"},
        {"names: [cat, [dog]]", "class 1 has no name"},
        {"names: [cat, '']", "class 1 has no name"},
        {"names: {0: cat, 2: dog}", "does not number its 2 classes from 0 to 1"},
        {"nc: 3\nnames: [cat, dog]", "says nc: 3, but has 2 names"},
        {"names: {0: cat, x: dog}", "does not number its 2 classes from 0 to 1"}}) {
    folder_.write("data.yaml", yaml);
    EXPECT_EQ(error_of_reading("images/train"), "data.yaml: " + std::string(error) + form);
  }
  folder_.write("data.yaml", "names: [cat, cat]\n");
  EXPECT_EQ(error_of_reading("images/train"),
            "data.yaml: has two classes called 'cat', expected different names");
  folder_.write("data.yaml", "names: [cat\n");
  EXPECT_TRUE(error_of_reading("images/train").starts_with("data.yaml:2: not valid YAML: "));
}

TEST_F(ObjectSets, OfYoloWithMistakes) {
  const auto error = [&](const char* lines) {
    write_yolo(lines);
    const std::string text = error_of_reading("images/train");
    return text.starts_with("labels/train/a.txt:") ? text.substr(19) : "elsewhere: " + text;
  };
  EXPECT_EQ(error("0 0.5 0.5 1 1\n2 0.5 0.5 1 1\n"),
            "2: its class is `2`, expected a number from 0 to 1");
  EXPECT_EQ(error("-1 0.5 0.5 1 1"), "1: its class is `-1`, expected a number from 0 to 1");
  EXPECT_EQ(error("cat 0.5 0.5 1 1"), "1: its class is `cat`, expected a number from 0 to 1");
  for (const char* value : {"1.01", "-0.1", "nan", "320", "x"}) {
    EXPECT_EQ(
        error(fmt::format("0 0.5 {} 1 1", value).c_str()),
        fmt::format("1: `{}` is no share of the image, expected a number from 0 to 1", value));
  }
  for (const auto& [count, line] : {std::pair{0, "0"},
                                    {3, "0 .5 .5 1"},
                                    {5, "0 .5 .5 1 1 .9"},
                                    {7, "0 .1 .1 .2 .1 .2 .2 .3"}}) {
    EXPECT_EQ(error(line),
              fmt::format("1: has {} numbers behind its class, expected the 4 of a box, or x and y "
                          "of three or more vertices",
                          count));
  }
}

TEST_F(ObjectSets, AreFoundByLooking) {
  draw("plain/a.png");
  EXPECT_FALSE(names_object_set(path("plain")));
  EXPECT_FALSE(names_object_set(path("nowhere")));
  EXPECT_EQ(
      error_of_reading("plain"),
      "plain: no boxes are beside this folder of images: neither annotations/"
      "instances_plain.json (COCO), nor Annotations beside JPEGImages or XML files (VOC), nor "
      "labels for images (YOLO); name theirs, data.train_annotations or "
      "data.val_annotations");
  write_coco(coco());
  write_voc(voc_object("cat", 1, 1, 80, 40));
  write_yolo("0 0.5 0.5 1 1");
  for (const char* name : {"train2017", "annotations/instances_train2017.json", "JPEGImages",
                           "ImageSets/Main/train.txt", "images/train"}) {
    EXPECT_TRUE(names_object_set(path(name))) << name;
    EXPECT_TRUE(read_any_list(path(name), "", {}).objects) << name;
  }
}

TEST_F(ObjectSets, OfValidationGetTheLabelsOfTraining) {
  Json json = coco();
  json["categories"].erase(1);
  json["annotations"].erase(1);
  write_coco(json);
  const std::vector<std::string> names = {"bird", "cat", "dog"};
  const ImageList list = match_object_classes(read("train2017"), names, "train.json");
  EXPECT_EQ(list.class_names, names);
  EXPECT_EQ(list.objects->objects[0].label, 2);
  EXPECT_EQ(list.objects->category_ids[2], 90);
  EXPECT_EQ(error_of([&] {
              match_object_classes(list, {"cat", "dog"}, "train.json");
            }),
            path("annotations/instances_train2017.json") +
                ": has the classes 'bird', which train.json has not (its classes: 'cat', 'dog')");
}

/// Counts, areas and boxes as an XML parser of Python's, and its JSON, have them.
TEST_F(ObjectSets, OfTheFieldAreReadAsTheyAre) {
  const std::string shared = std::string(MOBILEONE_SOURCE_DIR) + "/../shared/data/";
  if (!fs::exists(shared + "bccd") || !fs::exists(shared + "coco128")) {
    GTEST_SKIP() << "there is no shared/data/bccd or coco128 here";
  }
  const auto count = [](const ImageList& list) {
    std::vector<int64_t> counts(list.class_names.size());
    double area = 0;
    for (const Object& object : list.objects->objects) {
      ++counts[object.label];
      area += object.box.area();
    }
    return std::pair(counts, area);
  };
  const ImageList cells = read_object_list(shared + "bccd/ImageSets/Main/train.txt", "", {});
  EXPECT_EQ(cells.size(), 205);
  EXPECT_EQ(cells.class_names, (std::vector<std::string>{"Platelets", "RBC", "WBC"}));
  EXPECT_EQ(count(cells), std::pair(std::vector<int64_t>{209, 2382, 214}, 33503735.0));
  const ImageList coco = read_object_list(shared + "coco128/train2017", "", {});
  EXPECT_EQ(coco.size(), 128);
  EXPECT_EQ(coco.class_names.size(), 80u);
  EXPECT_EQ(coco.objects->category_ids.back(), 90);
  EXPECT_EQ(coco.objects->objects.size(), 939u);
  EXPECT_NEAR(count(coco).second, 22549479.2678, 1e-3);
  EXPECT_EQ(std::ranges::count_if(coco.objects->objects, &Object::crowd), 10);
}

}  // namespace
}  // namespace mobileone
