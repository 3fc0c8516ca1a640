// Training and evaluation from everything that a data set can be; packing and inspecting.
#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "cli/process.h"
#include "cli/program.h"
#include "data/tar_bytes.h"
#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/data/image.h"
#include "mobileone/data/image_list.h"
#include "mobileone/data/index_mask.h"
#include "mobileone/data/png.h"
#include "mobileone/util/file.h"
#include "test_folder.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

/// The data set of the workshop in every form, made once.
class Storages : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    fs::create_directories(shop().path("stored"));
    for (const std::string split : {"train", "val"}) {
      const std::string packed = shop().path("stored/" + split);
      for (const auto& more : std::vector<std::vector<std::string>>{{}, {"--decoded"}}) {
        std::vector<std::string> arguments = {"data", "pack", shop().shapes(split),
                                              packed + (more.empty() ? ".pack" : "-pixels.pack")};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const auto outcome = run_program(arguments);
        ASSERT_EQ(outcome.status, 0) << outcome.errors;
      }
      write_shard(split);
    }
  }

  static void write_shard(const std::string& split) {
    const ImageList list = read_image_list(shop().shapes(split));
    std::string bytes, names;
    for (int64_t i = 0; i < list.size(); ++i) {
      bytes += tar_sample(fmt::format("{:04}", i), list.read(i).bytes(), list.labels[i]);
    }
    for (const auto& name : list.class_names) names += name + "\n";
    write_whole(shop().path("stored/" + split + ".tar"), bytes + tar_end());
    write_whole(shop().path("stored/classes.txt"), names);
  }

  static std::vector<std::string> forms(const std::string& split) {
    const std::string stored = shop().path("stored/" + split);
    return {shop().shapes(split), stored + ".pack", stored + "-pixels.pack", stored + ".tar"};
  }
};

TEST_F(Storages, EvaluateTheSame) {
  std::vector<nlohmann::json> results;
  for (const auto& data : forms("val")) {
    const auto outcome = run_program({"eval", shop().path("run/best.pth"), "--data", data, "--json",
                                      "--report", shop().path("stored/report")});
    ASSERT_EQ(outcome.status, 0) << data << outcome.errors;
    results.push_back(nlohmann::json::parse(outcome.output));
    results.back().erase("images_per_second");
    EXPECT_EQ(results.back(), results.front()) << data;
    const std::string page = read_file(shop().path("stored/report/mistakes.html"));
    EXPECT_NE(page.find("data:image/jpeg;base64,"), page.npos) << data;
    EXPECT_EQ(page.find("class=\"missing\""), page.npos) << data;
  }
}

/// All of a checkpoint's weights, shortened.
std::string digest_of(const std::string& checkpoint) {
  std::string text;
  for (const auto& entry : load_checkpoint(checkpoint).weights) {
    text += fmt::format("{} {}\n", std::string(entry.key()),
                        entry.value().to(at::kDouble).abs().sum().item<double>());
  }
  return text;
}

TEST_F(Storages, TrainTheSame) {
  std::string expected;
  for (const auto& [form, file] :
       {std::pair("folder", 0), {"pack", 1}, {"pixels", 2}, {"tar", 3}}) {
    const std::string dir = std::string("from_") + form;
    const auto outcome = run_program(shop().training(
        dir, {"data.train=" + forms("train")[file], "data.val=" + forms("val")[file]}));
    ASSERT_EQ(outcome.status, 0) << outcome.errors;
    const std::string digest = digest_of(shop().path(dir + "/last.pth"));
    if (expected.empty()) expected = digest;
    // Shards are read in another order.
    EXPECT_EQ(digest == expected, file < 3) << form;
  }
}

TEST_F(Storages, ARunGoesOnFromAPackOfItsFolder) {
  const auto run = [&](int form, std::vector<std::string> more) {
    more.push_back("data.train=" + forms("train")[form]);
    return run_program(shop().training("moved", more));
  };
  ASSERT_EQ(run(0, {}).status, 0);
  const auto resumed = run(1, {"--resume", "schedule.epochs=1"});
  EXPECT_EQ(resumed.status, 0) << resumed.errors;
  const auto refused = run(3, {"--resume", "schedule.epochs=1"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.errors.find("was trained on other images than"), std::string::npos)
      << refused.errors;
}

TEST_F(Storages, AreInspected) {
  for (const auto& data : forms("val")) {
    const std::string sheet = shop().path("stored/sheet.png");
    fs::remove(sheet);
    const auto outcome = run_program({"data", "inspect", data, "--json", "--sheet", sheet});
    ASSERT_EQ(outcome.status, 0) << outcome.errors;
    const auto json = nlohmann::json::parse(outcome.output);
    EXPECT_EQ(json["images"], 20);
    EXPECT_EQ(json["classes"].size(), 10u);
    EXPECT_EQ(json["classes"][0]["class"], "checkerboard");
    EXPECT_EQ(json["images_per_class"]["median"], 2);
    EXPECT_EQ(json["width"]["most"], 32);
    EXPECT_EQ(json["formats"].size(), 1u);
    EXPECT_TRUE(json["bad"].empty());
    EXPECT_TRUE(fs::exists(sheet));
    const auto text = run_program({"data", "inspect", data});
    EXPECT_NE(text.output.find(data + ": 20 images of 10 classes"), std::string::npos);
  }
}

TEST_F(Storages, BadImagesAreNamedAndTheStatusSaysSo) {
  const std::string copy = shop().path("stored/copy");
  fs::copy(shop().shapes("val"), copy, fs::copy_options::recursive);
  write_whole(copy + "/star/0000.jpg", "no picture");
  fs::copy_file(copy + "/star/0001.jpg", copy + "/ring/copy.jpg");
  const auto outcome = run_program({"data", "inspect", copy});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.errors, "mobileone: " + copy + ": 1 of 21 images cannot be read\n");
  EXPECT_NE(outcome.output.find("  " + copy + "/star/0000.jpg: is text that begins with"),
            std::string::npos)
      << outcome.output;
  EXPECT_NE(outcome.output.find("duplicates        1, of them 1 under another label"),
            std::string::npos)
      << outcome.output;
}

TEST_F(Storages, APackCutShortWhileItIsReadEndsTheRunInOneLine) {
  const std::string path = shop().path("stored/cut.pack");
  fs::copy_file(forms("train")[1], path);
  Process run(shop().training("cut", {"data.train=" + path, "schedule.epochs=100000"}));
  ASSERT_TRUE(wait_for(shop().path("cut/last.pth"))) << run.errors();
  fs::resize_file(path, 0);
  EXPECT_EQ(run.wait(), 2);
  EXPECT_NE(run.errors().find("mobileone: " + path +
                              ": was cut short or could not be read while it was in use"),
            std::string::npos)
      << run.errors();
}

/// Two images of CamVid's layout, one of whose classes is rare.
class MaskSet : public testing::Test {
 protected:
  MaskSet() {
    for (const std::string name : {"a", "b"}) {
      write_png(path("train/" + name + ".png"), at::full({40, 60, 3}, 100, at::kByte));
      at::Tensor mask = at::full({40, 60}, 3, at::kByte);
      mask.narrow(0, 0, 10).fill_(11);
      if (name == "b") mask.narrow(1, 0, 6).fill_(8);
      write_whole(path("trainannot/" + name + ".png"), encode_png_indices(mask, voc_palette()));
    }
  }
  std::string path(const std::string& name) const { return folder_.path(name); }

  TestFolder folder_;
};

TEST_F(MaskSet, IsInspectedByClasses) {
  const auto text = run_program({"data", "inspect", path("train")});
  ASSERT_EQ(text.status, 0) << text.errors;
  const std::vector<std::string> lines = {
      path("train") + ": 2 images with masks of 11 classes",
      "0.0 million, 23.75 % of them ignored",
      "       2   93.44 %    0.5702  Road",
      "       1    6.56 %     4.062  Car",
      "occur nowhere     Sky, Building, Pole, Pavement, Tree, SignSymbol, Fence, Pedestrian, "
      "Bicyclist",
      "loss.class_weights=[1,1,1,0.5702,1,1,1,1,4.062,1,1]"};
  for (const std::string& line : lines) {
    EXPECT_NE(text.output.find(line), std::string::npos) << line << "\n" << text.output;
  }
  const auto json =
      nlohmann::json::parse(run_program({"data", "inspect", path("train"), "--json"}).output);
  EXPECT_EQ(json["masks"]["pixels"], 4800);
  EXPECT_EQ(json["masks"]["ignored_pixels"], 1140);
  EXPECT_EQ(json["classes"][8]["class"], "Car");
  EXPECT_EQ(json["classes"][8]["pixels"], 240);
  EXPECT_EQ(json["masks"]["median_frequency_weights"].size(), 11u);
}

TEST_F(MaskSet, IsPackedWithWhatItsValuesMean) {
  const std::string pack = path("x.pack"), sheet = path("sheet.html");
  const auto packed = run_program({"data", "pack", path("train"), pack, "--decoded"});
  EXPECT_EQ(packed.output, pack + ": 2 images with masks as pixels, 0.0 MB\n") << packed.errors;
  const auto found = run_program({"data", "inspect", pack, "--sheet", sheet});
  EXPECT_NE(found.output.find("       1    6.56 %     4.062  Car"), std::string::npos)
      << found.output << found.errors;
  EXPECT_NE(read_file(sheet).find("Road"), std::string::npos);
  const auto elsewhere = run_program(
      {"data", "inspect", path("train"), "--masks", path("trainannot"), "--format", "folders"});
  EXPECT_NE(elsewhere.output.find("of 12 classes"), std::string::npos) << elsewhere.output;
}

TEST_F(MaskSet, IsShownAndTimedAsTrainingSeesIt) {
  const std::vector<std::string> of_masks = {
      "model.head=deeplabv3", "data.train=" + path("train"),         "data.size=32",
      "curriculum.stages=[]", "augment.segment.short_side=[32, 48]", "schedule.batch_size=2"};
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), of_masks.begin(), of_masks.end());
    return run_program(arguments);
  };
  const std::string config = shop().path("tiny.yaml"), sheet = path("sheet.html");
  const auto shown = run({"data", "show", config, "-o", sheet, "--images", "2"});
  EXPECT_EQ(shown.output, sheet + ": 2 images of epoch 0\n") << shown.errors;
  const std::string page = read_file(sheet);
  for (const char* text : {"short side 32 to 48", "</span>Road</li>", "<div>b.png</div>"}) {
    EXPECT_NE(page.find(text), std::string::npos) << text;
  }
  EXPECT_EQ(page.find("</span>Sky</li>"), std::string::npos) << "occurs nowhere";
  const auto timed = run({"bench", "data", config, "--images", "8", "--rounds", "1",  //
                          "--consumes", "1", "--json"});
  ASSERT_EQ(timed.status, 0) << timed.errors;
  EXPECT_GT(nlohmann::json::parse(timed.output)["microseconds_per_image"]["mask"], 0);
}

TEST_F(MaskSet, MasksThatCannotBeUsedAreNamedAndTheStatusSaysSo) {
  write_whole(path("trainannot/a.png"),
              encode_png_indices(at::full({40, 60}, 12, at::kByte), voc_palette()));
  const auto found = run_program({"data", "inspect", path("train")});
  EXPECT_EQ(found.status, 2);
  EXPECT_EQ(found.errors, "mobileone: " + path("train") + ": 1 of 2 masks cannot be used\n");
  EXPECT_NE(found.output.find("bad masks         1\n  " + path("trainannot/a.png") +
                              ": value 12 at x 0, y 0 is none of the 11 classes"),
            std::string::npos)
      << found.output;
}

}  // namespace
}  // namespace mobileone
