// Semantic segmentation through the commands, as a user goes: train, resume, fold, export,
// evaluate, predict, measure.
#include <ATen/Functions.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/process.h"
#include "cli/program.h"
#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/data/image.h"
#include "mobileone/data/index_mask.h"
#include "mobileone/data/png.h"
#include "mobileone/eval/onnx_model.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

/// Grey pictures with a bright rectangle each and masks of two classes.
void draw(const std::string& name, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    auto image = at::full({48, 64, 3}, 90, at::kByte), mask = at::zeros({48, 64}, at::kByte);
    const int64_t top = 3 * i % 25, left = 7 * i % 40;
    image.slice(0, top, top + 20).slice(1, left, left + 22).fill_(230);
    mask.slice(0, top, top + 20).slice(1, left, left + 22).fill_(1);
    const std::string file = fmt::format("/{:02}.png", i);
    write_whole(shop().path(name + file), encode_png(image));
    write_whole(shop().path(name + "annot" + file), encode_png_indices(mask, voc_palette()));
  }
}

std::vector<std::string> training(const std::string& dir, std::vector<std::string> more = {}) {
  for (const char* setting :
       {"model.head=deeplabv3", "segment.channels=8", "segment.rates=[1,2,3]", "data.size=32",
        "data.eval_resize=48", "data.eval_crop=48", "augment.segment.short_side=[32,64]",
        "optimizer.name=adamw", "optimizer.lr=0.01", "schedule.epochs=2", "schedule.batch_size=4",
        "schedule.warmup_epochs=0", "curriculum.stages=[]"}) {
    more.emplace_back(setting);
  }
  more.push_back("data.train=" + shop().path("scenes/train"));
  more.push_back("data.val=" + shop().path("scenes/val"));
  return shop().training(dir, more);
}

/// A run of two epochs; what it left is folded and exported beside it.
class SegmentationRun : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    draw("scenes/train", 12);
    draw("scenes/val", 4);
    for (const auto& arguments : std::vector<std::vector<std::string>>{
             training("scene_run"),
             {"reparam", run() + "/last.pth", "-o", shop().path("scene_folded.pth")},
             {"export", shop().path("scene_folded.pth"), "-o", shop().path("scene.pt")},
             {"export", shop().path("scene_folded.pth"), "-o", shop().path("scene.onnx")}}) {
      const auto outcome = run_program(arguments);
      ASSERT_EQ(outcome.status, 0) << outcome.errors;
    }
  }

  static std::string run() { return shop().path("scene_run"); }
  static std::string val() { return shop().path("scenes/val"); }

  static json evaluated(const std::string& model) {
    const auto outcome = run_program({"eval", model, "--data", val(), "--json"});
    EXPECT_EQ(outcome.status, 0) << outcome.errors;
    return json::parse(outcome.output);
  }
};

TEST_F(SegmentationRun, IsJudgedAlikeInEveryForm) {
  const json expected = evaluated(run() + "/last.pth");
  EXPECT_EQ(expected["images"], 4);
  EXPECT_EQ(expected["class_iou"].size(), 11) << "CamVid's, by the names of the folders";
  for (const char* name : {"scene_folded.pth", "scene.pt", "scene.onnx"}) {
    if (name == std::string("scene.onnx") && !has_onnx_runtime()) continue;
    const json actual = evaluated(shop().path(name));
    for (const char* key : {"miou", "pixel_accuracy"}) {
      EXPECT_NEAR(actual[key].get<double>(), expected[key].get<double>(), 0.05) << name << key;
    }
    EXPECT_NEAR(actual["loss"].get<double>(), expected["loss"].get<double>(), 1e-4) << name;
  }
}

TEST_F(SegmentationRun, IsJudgedAlikeByManyProcesses) {
  const std::string report = shop().path("scene_report");
  Process launched({"launch", "-n", "3", "eval", run() + "/last.pth", "--data", val(),  //
                    "--report", report});
  ASSERT_EQ(launched.wait(), 0) << launched.errors();
  const std::string page = read_file(report + "/report.html");
  const double miou = evaluated(run() + "/last.pth")["miou"];
  EXPECT_NE(page.find(fmt::format("{:.2f}", miou)), std::string::npos) << miou;
}

TEST_F(SegmentationRun, GoesOnFromItsFirstEpochAsIfNeverStopped) {
  const fs::path copy = shop().path("scene_resumed");
  fs::copy(run(), copy);
  const Checkpoint expected = load_checkpoint(copy / "last.pth");
  const auto outcome =
      run_program(training("scene_resumed", {"--resume-from", (copy / "last-1.pth").string()}));
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  const Checkpoint actual = load_checkpoint(copy / "last.pth");
  ASSERT_EQ(actual.weights.keys(), expected.weights.keys());
  for (const auto& item : expected.weights) {
    EXPECT_TRUE(actual.weights[item.key()].equal(item.value())) << item.key();
  }
}

TEST_F(SegmentationRun, PredictsTheMasksThatTheExampleDraws) {
  const std::string masks = shop().path("scene_masks"), model = shop().path("scene.pt");
  const auto outcome = run_program({"predict", model, val(), "--output", masks, "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  const json predicted = json::parse(outcome.output);
  ASSERT_EQ(predicted.size(), 4);
  const auto pixels = read_image(val() + "/02.png");
  std::string ppm = fmt::format("P6\n{} {}\n255\n", pixels.size(1), pixels.size(0));
  ppm.append(static_cast<const char*>(pixels.data_ptr()), static_cast<size_t>(pixels.numel()));
  write_whole(shop().path("scene.ppm"), ppm);
  const std::string drawn = shop().path("scene_mask.ppm");
  ASSERT_EQ(std::system(fmt::format("{} {} {} {} > {}", MOBILEONE_SEGMENT, model,
                                    shop().path("scene.ppm"), drawn, shop().path("answer.txt"))
                            .c_str()),
            0);
  // The palette's colours of predict's indices; where two logits are equal but for rounding,
  // either.
  const auto expected = read_image(masks + "/02.png"), actual = read_image(drawn);
  ASSERT_EQ(actual.sizes(), expected.sizes());
  EXPECT_LE(actual.ne(expected).any(2).sum().item<int64_t>(), 3);
  EXPECT_TRUE(fs::exists(masks + "/02_overlay.jpg"));
}

TEST_F(SegmentationRun, HasCurvesAndASummary) {
  const std::string page = shop().path("scene.html");
  EXPECT_EQ(run_program({"plot", run(), "-o", page}).status, 0);
  EXPECT_NE(read_file(page).find("mIoU"), std::string::npos);
  const auto summary = run_program({"summary", shop().path("scene_folded.pth")});
  EXPECT_NE(summary.output.find("aspp1"), std::string::npos) << summary.output << summary.errors;
  const auto tried = run_program([] {
    auto arguments = training("nowhere", {"--steps", "4"});
    arguments[0] = "find-lr";
    return arguments;
  }());
  EXPECT_EQ(tried.status, 0) << tried.errors;
  const std::string comparison = shop().path("compared.html");
  const auto compared = run_program({"compare", run(), run(), "--rounds", "1", "-o", comparison});
  ASSERT_EQ(compared.status, 0) << compared.errors;
  EXPECT_NE(read_file(comparison).find("mIoU, %"), std::string::npos);
  EXPECT_NE(read_file(comparison).find("IoU, %</th>"), std::string::npos);
  const auto timed = run_program(
      {"bench", "latency", shop().path("scene_folded.pth"), "--size", "64", "--rounds", "1"});
  EXPECT_EQ(timed.status, 0) << timed.errors;
}

struct Refusal {
  std::vector<std::string> arguments;
  std::string error;  ///< part of the one line
};

TEST_F(SegmentationRun, RefusesWhatIsOfAnotherTask) {
  const std::string classifier = shop().path("run/best.pth");
  for (const auto& [arguments, error] : std::vector<Refusal>{
           {{"eval", classifier, "--data", val()}, "val"},
           {{"eval", run() + "/last.pth", "--data", shop().shapes("val")}, "mask"},
           {{"export", classifier, "-o", shop().path("x.pt"), "--argmax"}, "--argmax"},
           {{"predict", run() + "/last.pth", val(), "--output", classifier}, "cannot be made"},
           {{"eval", run() + "/last.pth", "--data", val(), "--crop", "64"}, "--crop"},
           {training("run", {"--resume"}), "resume with the same"},
           {training("other", {"model.pretrained=" + shop().path("scene.onnx")}), "scene.onnx"}}) {
    const auto outcome = run_program(arguments);
    EXPECT_NE(outcome.status, 0) << fmt::format("{}", fmt::join(arguments, " "));
    EXPECT_EQ(count_errors(outcome.errors), 1) << outcome.errors;
    EXPECT_NE(outcome.errors.find(error), std::string::npos) << outcome.errors;
  }
}

}  // namespace
}  // namespace mobileone
