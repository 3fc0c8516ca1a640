#include "mobileone/export/description.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mobileone/export/formats.h"

namespace mobileone {
namespace {

/// What version 0.2.0 wrote of a network of two classes.
constexpr const char* kOfVersion020 = R"({
  "format": "mobileone",
  "variant": "s0",
  "class_names": ["cat", "dog"],
  "num_classes": 2,
  "input": "float16 [N,1,H,W]",
  "output": "logits",
  "preprocessing": {
    "channels": "grey",
    "exif_orientation": true,
    "resize_short_side": 72,
    "interpolation": "bicubic",
    "antialias": true,
    "center_crop": 64,
    "scale": "divide by 255",
    "mean": [0.5],
    "std": [0.25]
  },
  "parameters": 76094,
  "macs": 24780224,
  "activations": 1045182,
  "metrics": {"val_top1": 71.5, "val_top5": 90.25},
  "source": "runs/pets/best.pth",
  "program": "mobileone 0.2.0"
})";

Description whole() {
  return {.task = "segmentation",
          .variant = "custom",
          .class_names = {"road", "a \"sky\""},
          .num_classes = 2,
          .interface = {ExportType::kFloat32, Preprocessing::kInside},
          .output = "classes",
          .preparation = {true, 512, Interpolation::kBicubic, 480, {0.1, 0.2, 0.3}, {1, 2, 3}},
          .parameters = 1,
          .macs = 2,
          .activations = 3,
          .metrics = {{"val_miou", 70.5}, {"val_accuracy", 90}},
          .source = "best.pth",
          .program = "mobileone"};
}

TEST(Descriptions, OfVersion020AreRead) {
  const Description expected{.task = "classification",
                             .variant = "s0",
                             .class_names = {"cat", "dog"},
                             .num_classes = 2,
                             .interface = {ExportType::kFloat16, Preprocessing::kOutside},
                             .output = "logits",
                             .preparation = {true, 72, Interpolation::kBicubic, 64, {0.5}, {0.25}},
                             .parameters = 76094,
                             .macs = 24780224,
                             .activations = 1045182,
                             .metrics = {{"val_top1", 71.5}, {"val_top5", 90.25}},
                             .source = "runs/pets/best.pth",
                             .program = "mobileone 0.2.0"};
  EXPECT_EQ(from_json(kOfVersion020), expected);
}

/// All that an older reader looks for is still where it was.
TEST(Descriptions, SayAllThatThoseOfVersion020Did) {
  auto written = nlohmann::json::parse(to_json(from_json(kOfVersion020)));
  EXPECT_EQ(written["task"], "classification");
  written.erase("task");
  EXPECT_EQ(written, nlohmann::json::parse(kOfVersion020));
}

TEST(Descriptions, AreReadAsTheyAreWritten) {
  EXPECT_EQ(from_json(to_json(whole())), whole());
  EXPECT_EQ(from_json(to_json({})), Description());
}

TEST(Descriptions, OfOthersHaveTheDefaults) {
  for (const char* text : {"", "no JSON", "[1]", "{}", "7",
                           R"({"input": 3, "class_names": 5, "metrics": [1], "task": null,
                               "preprocessing": "none", "parameters": "many"})"}) {
    EXPECT_EQ(from_json(text), Description()) << text;
  }
  EXPECT_EQ(from_json(R"({"class_names": ["a", 7]})").class_names,
            (std::vector<std::string>{"a", "7"}));
}

TEST(Formats, AreToldApartByNameAndEnding) {
  std::set<std::string_view> names, endings;
  for (const auto& format : formats()) {
    EXPECT_TRUE(names.insert(format.name).second) << format.name;
    EXPECT_TRUE(endings.insert(format.ending).second) << format.ending;
    EXPECT_TRUE(format.ending.starts_with('.'));
    for (const auto& option : format.options) EXPECT_TRUE(option.starts_with("--"));
  }
}

}  // namespace
}  // namespace mobileone
