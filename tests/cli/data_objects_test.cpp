// Sets of images with boxes in the commands of `data`.
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "mobileone/data/image.h"
#include "report/xml.h"
#include "test_folder.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

/// Three images of YOLO's, with two boxes, one and none.
class DataObjects : public testing::Test {
 protected:
  DataObjects() {
    for (const char* name : {"a", "b", "c"}) {
      write_jpeg(path(std::string("images/") + name + ".jpg"), at::full({60, 80, 3}, 90, at::kByte),
                 90);
    }
    folder_.write("labels/a.txt", "0 0.5 0.5 0.5 0.5\n1 0.1 0.1 0.1 0.1\n");
    folder_.write("labels/b.txt", "1 0.5 0.5 1 1\n");
    folder_.write("classes.txt", "cat\ndog\n");
    folder_.write("tiny.yaml",
                  "model: {variant: s0, head: ssdlite}\n"
                  "data: {size: 64, eval_crop: 64, train: " +
                      path("images") +
                      "}\n"
                      "schedule: {batch_size: 3}\n");
  }
  std::string path(const std::string& name) const { return folder_.path(name); }
  std::string message(const std::string& text) const { return "mobileone: " + path(text) + "\n"; }

  TestFolder folder_;
};

TEST_F(DataObjects, AreConvertedAndInspected) {
  std::string source = path("images");
  for (const auto& [format, images] :
       {std::pair{"coco", "images"}, {"voc", "ImageSets/Main/all.txt"}, {"yolo", "images"}}) {
    const Outcome made = run_program({"data", "convert", source, path(format), "--to", format});
    ASSERT_EQ(made.status, 0) << made.errors;
    EXPECT_EQ(made.output, path(format) + ": 3 images with 3 boxes of 2 classes\n");
    EXPECT_EQ(made.errors, "");
    source = path(std::string(format) + "/" + images);
    const Outcome found = run_program({"data", "inspect", source, "--json"});
    ASSERT_EQ(found.status, 0) << found.errors;
    const auto json = nlohmann::json::parse(found.output);
    EXPECT_EQ(json["boxes"]["boxes"], 3);
    EXPECT_EQ(json["boxes"]["images_without"], 1);
    EXPECT_EQ(json["boxes"]["small"], 1);
    EXPECT_EQ(json["classes"][1]["class"], "dog");
    EXPECT_EQ(json["classes"][1]["images"], 2);
    EXPECT_EQ(json["classes"][1]["boxes"], 2);
  }
}

TEST_F(DataObjects, AreComparedWithAnchors) {
  const Outcome found =
      run_program({"data", "inspect", path("images"), "--anchors", path("tiny.yaml")});
  ASSERT_EQ(found.status, 0) << found.errors;
  EXPECT_NE(
      found.output.find("boxes             3: 0 of crowds, 0 difficult, 0 empty, 0 reach out"),
      std::string::npos)
      << found.output;
  EXPECT_NE(found.output.find("anchors           1 of the boxes that are learnt (33.3 %) overlap "
                              "none by 0.5 at 64 px"),
            std::string::npos)
      << found.output;
  folder_.write("other.yaml", "model: {variant: s0}\n");
  EXPECT_EQ(
      run_program({"data", "inspect", path("images"), "--anchors", path("other.yaml")}).errors,
      message("other.yaml: has no anchors; --anchors takes a configuration with "
              "model.head=ssdlite"));
}

TEST_F(DataObjects, AreTimedAgainAndAgain) {
  const Outcome timed =
      run_program({"bench", "data", path("tiny.yaml"), "augment.detect.crop=none", "--images", "30",
                   "--rounds", "1", "--workers", "1", "--json"});
  ASSERT_EQ(timed.status, 0) << timed.errors;
  EXPECT_GT(nlohmann::json::parse(timed.output)["images_per_second"], 0);
}

TEST_F(DataObjects, AreShownAndPacked) {
  const Outcome packed = run_program({"data", "pack", path("images"), path("x.pack"), "--decoded"});
  ASSERT_EQ(packed.status, 0) << packed.errors;
  EXPECT_TRUE(packed.output.starts_with(path("x.pack") + ": 3 images with boxes as pixels"))
      << packed.output;
  for (const std::string set : {"images", "x.pack"}) {
    const Outcome shown = run_program(
        {"data", "show", path("tiny.yaml"), "-o", path("sheet.html"), "data.train=" + path(set)});
    ASSERT_EQ(shown.status, 0) << shown.errors;
    const std::string html = read_file(path("sheet.html"));
    EXPECT_EQ(xml_fault(html), "");
    EXPECT_NE(html.find("crop mmdetection"), std::string::npos);
    EXPECT_NE(html.find("a.jpg"), std::string::npos);
  }
}

TEST_F(DataObjects, MistakesAreOneLine) {
  EXPECT_EQ(run_program({"data", "convert", path("images"), path("out"), "--to", "csv"}).status, 2);
  folder_.write("labels/b.txt", "1 0.5 0.5 1\n");
  EXPECT_EQ(run_program({"data", "convert", path("images"), path("out"), "--to", "voc"}).errors,
            message("labels/b.txt:1: has 3 numbers behind its class, expected the 4 of a box, or x "
                    "and y of three or more vertices"));
  EXPECT_FALSE(fs::exists(path("out")));
}

}  // namespace
}  // namespace mobileone
