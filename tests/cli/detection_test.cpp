// Object detection through the commands, as a user goes: train, resume, fold, export, evaluate,
// predict, measure.
#include <ATen/Functions.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/process.h"
#include "cli/program.h"
#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/data/image.h"
#include "mobileone/data/png.h"
#include "mobileone/eval/onnx_model.h"
#include "mobileone/util/file.h"
#include "support/standard_input.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

/// Grey pictures with a bright or a dark rectangle each, in YOLO's layout; the last has none.
void draw_objects(const std::string& name, int64_t count) {
  fs::create_directories(shop().path("objects/images/" + name));
  fs::create_directories(shop().path("objects/labels/" + name));
  for (int64_t i = 0; i < count; ++i) {
    auto image = at::full({48, 64, 3}, 120, at::kByte);
    const int64_t top = 3 * i % 25, left = 7 * i % 40, label = i % 2;
    const std::string file = fmt::format("{}/{:02}", name, i);
    std::string line;
    if (i + 1 < count) {
      image.slice(0, top, top + 20).slice(1, left, left + 22).fill_(label == 0 ? 250 : 10);
      line = fmt::format("{} {} {} {} {}\n", label, (left + 11) / 64.0, (top + 10) / 48.0,
                         22 / 64.0, 20 / 48.0);
    }
    write_whole(shop().path("objects/images/" + file + ".png"), encode_png(image));
    write_whole(shop().path("objects/labels/" + file + ".txt"), line);
  }
  write_whole(shop().path("objects/classes.txt"), "bright\ndark\n");
}

std::vector<std::string> detector_training(const std::string& dir,
                                           std::vector<std::string> more = {}) {
  for (const char* setting :
       {"model.head=ssdlite", "detect.strides=[8,16,32]", "detect.scales=[0.2,0.4,0.7,0.9]",
        "detect.min_negatives=5", "data.size=64", "data.eval_crop=64",
        "augment.detect.photometric=0", "augment.detect.most_zoom=1.5", "optimizer.name=adamw",
        "optimizer.lr=0.01", "schedule.epochs=2", "schedule.batch_size=4",
        "schedule.warmup_epochs=0", "curriculum.stages=[]"}) {
    more.emplace_back(setting);
  }
  more.push_back("data.train=" + shop().path("objects/images/train"));
  more.push_back("data.val=" + shop().path("objects/images/val"));
  return shop().training(dir, more);
}

/// A run of two epochs; what it left is folded and exported beside it.
class DetectionRun : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    draw_objects("train", 24);
    draw_objects("val", 6);
    for (const auto& arguments : std::vector<std::vector<std::string>>{
             detector_training("object_run"),
             {"reparam", run() + "/last.pth", "-o", shop().path("object_folded.pth")},
             {"export", shop().path("object_folded.pth"), "-o", shop().path("object.pt")},
             {"export", shop().path("object_folded.pth"), "-o", shop().path("object.onnx")}}) {
      const auto outcome = run_program(arguments);
      ASSERT_EQ(outcome.status, 0) << outcome.errors;
    }
  }

  static std::string run() { return shop().path("object_run"); }
  static std::string val() { return shop().path("objects/images/val"); }

  static json evaluated(const std::string& model) {
    const auto outcome = run_program({"eval", model, "--data", val(), "--json"});
    EXPECT_EQ(outcome.status, 0) << outcome.errors;
    return json::parse(outcome.output);
  }
};

TEST_F(DetectionRun, IsJudgedAlikeInEveryForm) {
  const json expected = evaluated(run() + "/last.pth");
  EXPECT_EQ(expected["images"], 6);
  EXPECT_EQ(expected["class_ap"].size(), 2);
  EXPECT_TRUE(expected["class_ap"].contains("dark"));
  for (const char* name : {"object_folded.pth", "object.pt", "object.onnx"}) {
    if (name == std::string("object.onnx") && !has_onnx_runtime()) continue;
    const json actual = evaluated(shop().path(name));
    for (const char* key : {"ap", "ap50", "ar100"}) {
      EXPECT_NEAR(actual[key].get<double>(), expected[key].get<double>(), 0.05) << name << key;
    }
  }
}

TEST_F(DetectionRun, WritesWhatItFoundAsCocosResults) {
  const std::string results = shop().path("found.json"), coco = shop().path("objects_coco");
  const auto outcome =
      run_program({"eval", run() + "/last.pth", "--data", val(), "--results", results, "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  const json expected = json::parse(outcome.output);
  EXPECT_TRUE(expected["voc_ap"].is_number());
  ASSERT_EQ(run_program({"data", "convert", val(), coco, "--to", "coco"}).status, 0);
  std::string instances;
  for (const auto& entry : fs::recursive_directory_iterator(coco)) {
    if (entry.path().extension() == ".json") instances = entry.path().string();
  }
  const auto judged = run_program({"eval", "--detections", results, "--data", instances, "--json"});
  ASSERT_EQ(judged.status, 0) << judged.errors;
  for (const char* key : {"ap", "ap50", "ar10"}) {
    EXPECT_NEAR(json::parse(judged.output)[key].get<double>(), expected[key].get<double>(), 1e-6);
  }
}

TEST_F(DetectionRun, IsJudgedAlikeByManyProcesses) {
  const std::string report = shop().path("object_report");
  Process launched({"launch", "-n", "3", "eval", run() + "/last.pth", "--data", val(),  //
                    "--batch", "2", "--report", report});
  ASSERT_EQ(launched.wait(), 0) << launched.errors();
  const std::string page = read_file(report + "/report.html");
  const double ap = evaluated(run() + "/last.pth")["ap"];
  EXPECT_NE(page.find(fmt::format("{:.2f}", ap)), std::string::npos) << ap;
}

TEST_F(DetectionRun, GoesOnFromItsFirstEpochAsIfNeverStopped) {
  const fs::path copy = shop().path("object_resumed");
  fs::copy(run(), copy);
  const Checkpoint expected = load_checkpoint(copy / "last.pth");
  const auto outcome = run_program(
      detector_training("object_resumed", {"--resume-from", (copy / "last-1.pth").string()}));
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  const Checkpoint actual = load_checkpoint(copy / "last.pth");
  ASSERT_EQ(actual.weights.keys(), expected.weights.keys());
  for (const auto& item : expected.weights) {
    EXPECT_TRUE(actual.weights[item.key()].equal(item.value())) << item.key();
  }
}

TEST_F(DetectionRun, PredictsWhatTheExampleFinds) {
  const std::string boxes = shop().path("object_boxes"), model = shop().path("object.pt");
  const auto outcome = run_program({"predict", model, val(), "--output", boxes, "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  const json predicted = json::parse(outcome.output);
  ASSERT_EQ(predicted.size(), 6);
  EXPECT_TRUE(fs::exists(boxes + "/02.jpg"));
  const auto pixels = read_image(val() + "/02.png");
  std::string ppm = fmt::format("P6\n{} {}\n255\n", pixels.size(1), pixels.size(0));
  ppm.append(static_cast<const char*>(pixels.data_ptr()), static_cast<size_t>(pixels.numel()));
  write_whole(shop().path("object.ppm"), ppm);
  const std::string answer = shop().path("objects.txt");
  ASSERT_EQ(std::system(fmt::format("{} {} {} {} > {}", MOBILEONE_DETECT, model,
                                    shop().path("object.ppm"), shop().path("drawn.ppm"), answer)
                            .c_str()),
            0);
  const std::string found = read_file(answer);
  EXPECT_EQ(std::ranges::count(found, '\n'), std::ssize(predicted[2]["objects"]));
  for (const auto& object : predicted[2]["objects"]) {
    EXPECT_NE(found.find(fmt::format("{:.2f}", object["score"].get<double>()).substr(0, 3)),
              std::string::npos)
        << found;
  }
  EXPECT_EQ(read_image(shop().path("drawn.ppm")).sizes(), pixels.sizes());
}

TEST_F(DetectionRun, PredictsAStreamAsItsFrames) {
  const std::string model = run() + "/last.pth", stream = shop().path("frames");
  write_whole(stream, read_file(val() + "/00.png") + "\n" + read_file(val() + "/01.png") + "end");
  const StandardInput input(stream);
  const auto outcome = run_program({"predict", model, "-", "--json", "--least-score", "0"});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_NE(outcome.errors.find("what follows image 2 is text that begins with `end`"),
            std::string::npos)
      << outcome.errors;
  const json frames = json::parse(outcome.output);
  ASSERT_EQ(frames.size(), 2);
  const json files =
      json::parse(run_program({"predict", model, val() + "/00.png", val() + "/01.png", "--json",  //
                               "--least-score", "0"})
                      .output);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(frames[i]["image"], fmt::format("frame_{:06}", i + 1));
    EXPECT_EQ(frames[i]["objects"], files[i]["objects"]);
  }
}

TEST_F(DetectionRun, IsToldOfAnEmptyStream) {
  write_whole(shop().path("nothing"), "");
  const StandardInput input(shop().path("nothing"));
  const auto outcome = run_program({"predict", run() + "/last.pth", "-"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(outcome.errors.ends_with("mobileone: standard input: is empty, expected images\n"))
      << outcome.errors;
}

TEST_F(DetectionRun, HasCurvesAndASummary) {
  const std::string page = shop().path("object.html");
  EXPECT_EQ(run_program({"plot", run(), "-o", page}).status, 0);
  EXPECT_NE(read_file(page).find("AP"), std::string::npos);
  const auto summary = run_program({"summary", shop().path("object_folded.pth")});
  EXPECT_NE(summary.output.find("level1_classes"), std::string::npos)
      << summary.output << summary.errors;
  const auto tried = run_program([] {
    auto arguments = detector_training("nowhere", {"--steps", "80"});
    arguments[0] = "find-lr";
    return arguments;
  }());
  EXPECT_EQ(tried.status, 0) << tried.errors;
  const std::string comparison = shop().path("object_compared.html");
  const auto compared = run_program({"compare", run(), run(), "--rounds", "1", "-o", comparison});
  ASSERT_EQ(compared.status, 0) << compared.errors;
  EXPECT_NE(read_file(comparison).find("AP50, %"), std::string::npos);
  const auto timed = run_program(
      {"bench", "latency", shop().path("object_folded.pth"), "--size", "64", "--rounds", "1"});
  EXPECT_EQ(timed.status, 0) << timed.errors;
}

struct DetectionRefusal {
  std::vector<std::string> arguments;
  std::string error;  ///< part of the one line
};

TEST_F(DetectionRun, RefusesWhatIsOfAnotherTask) {
  const std::string classifier = shop().path("run/best.pth");
  for (const auto& [arguments, error] : std::vector<DetectionRefusal>{
           {{"eval", run() + "/last.pth", "--data", shop().shapes("val")}, "boxes"},
           {{"eval", run() + "/last.pth", "--data", val(), "--restrict"}, "--restrict"},
           {{"export", classifier, "-o", shop().path("x.pt"), "--raw-outputs"}, "--raw-outputs"},
           {{"predict", run() + "/last.pth", val(), "--top", "3"}, "--top"},
           {{"predict", run() + "/last.pth", val(), "--resize", "64"}, "--resize"},
           {{"predict", classifier, val(), "--least-score", "0.5"}, "--least-score"},
           {detector_training("object_run", {"--resume", "detect.negatives=2"}),
            "detect.negatives"},
           {detector_training("other", {"detect.ratios=[1]"}), "detect.ratios"},
           {detector_training("other", {"loss.balanced=true"}), "loss.balanced"}}) {
    const auto outcome = run_program(arguments);
    EXPECT_NE(outcome.status, 0) << fmt::format("{}", fmt::join(arguments, " "));
    EXPECT_EQ(count_errors(outcome.errors), 1) << outcome.errors;
    EXPECT_NE(outcome.errors.find(error), std::string::npos) << outcome.errors;
  }
}

}  // namespace
}  // namespace mobileone
