#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {

nlohmann::json grey_accuracy(const std::string& model, const std::string& data) {
  const auto outcome = run_program({"eval", model, "--data", data, "--json"});
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  return nlohmann::json::parse(outcome.output, nullptr, /*allow_exceptions=*/false);
}

class GreyEngine : public testing::TestWithParam<const char*> {};

/// One channel from decoding to every file that ships.
TEST_P(GreyEngine, TrainsAndShips) {
  const std::string run = std::string("grey_") + GetParam(), best = shop().path(run + "/best.pth"),
                    val = shop().shapes("val"), pack = shop().path(run + ".pack");
  const auto trained = run_program(shop().training(
      run, {"model.in_channels=1", "data.mean=0.449", "data.std=0.226",
            std::string("runtime.engine=") + GetParam(), "augment.policy=trivialaugment",
            "augment.erase.probability=0.5", "augment.erase.mode=pixel", "augment.mix.mixup=0.2"}));
  ASSERT_EQ(trained.status, 0) << trained.errors;
  const auto expected = grey_accuracy(best, val);

  ASSERT_EQ(run_program({"data", "pack", val, pack, "--decoded"}).status, 0);
  EXPECT_EQ(grey_accuracy(best, pack)["loss"], expected["loss"]);
  const std::string folded = shop().path(run + "/folded.pth"), script = shop().path(run + "/x.pt");
  ASSERT_EQ(run_program({"reparam", best, "-o", folded}).status, 0);
  ASSERT_EQ(run_program({"export", best, "-o", script}).status, 0);
  for (const std::string& file : {folded, script}) {
    EXPECT_NEAR(grey_accuracy(file, val)["loss"].get<double>(), expected["loss"].get<double>(),
                1e-4);
    const auto predicted = run_program({"predict", file, val + "/star/0001.jpg", "--json"});
    EXPECT_EQ(predicted.status, 0) << predicted.errors;
  }

  const std::string python = MOBILEONE_SOURCE_DIR "/.deps/venv/bin/python";
  if (std::system((python + " -c 'import numpy, onnxruntime, PIL' 2>/dev/null").c_str()) != 0) {
    GTEST_SKIP() << "needs Python with numpy, onnxruntime and Pillow in .deps/venv: "
                    "scripts/setup.sh";
  }
  for (const char* option : {"--dtype=float32", "--with-preprocessing"}) {
    const std::string onnx = shop().path(run + "/x.onnx"), answer = shop().path("grey.json");
    const auto exported = run_program({"export", best, "-o", onnx, option});
    ASSERT_EQ(exported.status, 0) << exported.errors;
    const std::string command =
        fmt::format("{} {}/scripts/evaluate_onnx.py {} --data {} --json > {}", python,
                    MOBILEONE_SOURCE_DIR, onnx, val, answer);
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    EXPECT_EQ(nlohmann::json::parse(read_file(answer))["top1"], expected["top1"]);
  }
}

INSTANTIATE_TEST_SUITE_P(All, GreyEngine, testing::Values("folded", "branches"));

TEST(Grey, StartsFromWeightsOfColour) {
  const auto outcome = run_program(
      shop().training("grey_tuned", {"model.in_channels=1", "data.mean=0.449", "data.std=0.226",
                                     "model.pretrained=" + shop().path("run/best.pth")}));
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_NE(outcome.errors.find("summed to take grey"), std::string::npos) << outcome.errors;
}

}  // namespace
}  // namespace mobileone
