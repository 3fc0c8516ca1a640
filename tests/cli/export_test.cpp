// `mobileone export` in its forms, and what takes them.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "mobileone/eval/onnx_model.h"
#include "mobileone/export/torchscript.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {

/// Exports the run's best checkpoint to a file of the workshop and returns its path.
std::string exported(const std::string& name, std::vector<std::string> options = {}) {
  const std::string path = shop().path(name);
  std::vector<std::string> arguments{"export", shop().path("run/best.pth"), "-o", path};
  arguments.insert(arguments.end(), options.begin(), options.end());
  const auto outcome = run_program(arguments);
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  return path;
}

nlohmann::json accuracy(const std::string& model) {
  const auto outcome = run_program({"eval", model, "--data", shop().shapes("val"), "--json"});
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  return nlohmann::json::parse(outcome.output);
}

void expect_refusal(const std::vector<std::string>& arguments, const std::string& message) {
  const auto outcome = run_program(arguments);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_NE(outcome.errors.find(message), std::string::npos) << outcome.errors;
  EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1) << outcome.errors;
}

TEST(ExportForms, AFloat16FileIsEvaluatedAsTheOthers) {
  const auto whole = accuracy(exported("float32.pt")),
             half = accuracy(exported("float16.pt", {"--dtype", "float16"}));
  EXPECT_NEAR(whole["loss"].get<double>(), half["loss"].get<double>(), 0.01);
  EXPECT_LT(std::filesystem::file_size(shop().path("float16.pt")) + 5000,
            std::filesystem::file_size(shop().path("float32.pt")));
  EXPECT_EQ(accuracy(exported("frozen16.pt", {"--dtype", "float16", "--freeze"}))["loss"],
            half["loss"]);
}

TEST(ExportForms, PreprocessingInsideIsThatOfPredict) {
  const std::string image = shop().shapes("val") + "/star/0001.jpg";
  const auto predicted = nlohmann::json::parse(
      run_program({"predict", exported("outside.pt"), image, "--json", "--top", "1"}).output);
  const auto best = predicted[0]["predictions"][0];
  const std::string python = MOBILEONE_SOURCE_DIR "/.deps/venv/bin/python";
  if (std::system((python + " -c 'import torch, numpy, PIL' 2>/dev/null").c_str()) != 0) {
    GTEST_SKIP() << "needs Python with torch, numpy and Pillow in .deps/venv: scripts/setup.sh";
  }
  for (const auto& [options, tolerance] : {std::pair{std::vector<std::string>{}, 1e-5},
                                           {{"--freeze"}, 1e-5},
                                           {{"--dtype", "float16"}, 0.01}}) {
    auto all = options;
    all.push_back("--with-preprocessing");
    const std::string script = fmt::format(
        "import numpy, torch; from PIL import Image; m = torch.jit.load('{}'); "
        "x = torch.from_numpy(numpy.array(Image.open('{}').convert('RGB'))); "
        "p = m(x.unsqueeze(0))[0]; "
        "assert abs(p.sum() - 1) < 1e-5 and p.dtype == torch.float32; "
        "assert abs(p[{}] - {}) < {}, p; assert not hasattr(m, 'mean')",
        exported("inside.pt", all), image, best["index"].get<int>(),
        best["probability"].get<double>(), tolerance);
    EXPECT_EQ(std::system((python + " -c \"" + script + "\"").c_str()), 0);
  }
}

TEST(ExportForms, OnnxIsAsAccurateAsTheCheckpoint) {
  const std::string python = MOBILEONE_SOURCE_DIR "/.deps/venv/bin/python";
  if (std::system((python + " -c 'import numpy, onnxruntime, PIL' 2>/dev/null").c_str()) != 0) {
    GTEST_SKIP() << "needs Python with numpy, onnxruntime and Pillow in .deps/venv: "
                    "scripts/setup.sh";
  }
  const auto expected = accuracy(shop().path("run/best.pth"));
  for (const auto& options :
       {std::vector<std::string>{}, {"--with-preprocessing"}, {"--dtype", "float16"}}) {
    const std::string answer = shop().path("onnx.json");
    const std::string command = fmt::format(
        "{} {}/scripts/evaluate_onnx.py {} --data {} --json > {}", python, MOBILEONE_SOURCE_DIR,
        exported("model.onnx", options), shop().shapes("val"), answer);
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    const auto found = nlohmann::json::parse(read_file(answer));
    for (const char* key : {"top1", "top5", "images"}) EXPECT_EQ(found[key], expected[key]) << key;
  }
}

TEST(ExportForms, TheNameOrTheOptionSaysTheFormat) {
  const std::string onnx_name = exported("graph.onnx"),
                    onnx_option = exported("graph", {"--format", "onnx"});
  EXPECT_EQ(read_file(onnx_name), read_file(onnx_option));
  EXPECT_EQ(load_torchscript(exported("script.bin")).interface.type, ExportType::kFloat32);
}

TEST(ExportForms, WhatMakesNoSenseIsRefused) {
  const std::string best = shop().path("run/best.pth"), onnx = shop().path("refused.onnx");
  expect_refusal({"export", best, "-o", onnx, "--format", "torchscript"},
                 "the name says onnx, --format says torchscript");
  expect_refusal({"export", best, "-o", shop().path("refused.pt"), "--format", "onnx"},
                 "the name says torchscript, --format says onnx");
  expect_refusal({"export", best, "-o", onnx, "--freeze"}, "--freeze: is for TorchScript");
  expect_refusal({"export", best, "-o", onnx, "--dtype", "bfloat16"}, "--dtype");
  expect_refusal({"export", best, "-o", best}, "best.pth: would be overwritten");
  EXPECT_FALSE(std::filesystem::exists(onnx));
}

TEST(ExportForms, CommandsSayWhichFilesTheyCannotEvaluate) {
  const std::string inside = exported("probabilities.pt", {"--with-preprocessing"}),
                    onnx = exported("elsewhere.onnx"),
                    image = shop().shapes("val") + "/star/0001.jpg";
  expect_refusal({"predict", inside, image}, "without --with-preprocessing");
  expect_refusal({"eval", inside, "--data", shop().shapes("val")}, "without --with-preprocessing");
  if (!has_onnx_runtime()) expect_refusal({"predict", onnx, image}, "scripts/evaluate_onnx.py");
}

TEST(ExportForms, OnnxIsEvaluatedAndPredictedLikeItsCheckpoint) {
  if (!has_onnx_runtime()) GTEST_SKIP() << "needs ONNX Runtime's C++ library (docs/deploying.md)";
  const std::string best = shop().path("run/best.pth"), onnx = exported("judged.onnx");
  EXPECT_EQ(accuracy(onnx)["top1"], accuracy(best)["top1"]);
  EXPECT_NEAR(accuracy(onnx)["loss"].get<double>(), accuracy(best)["loss"].get<double>(), 1e-5);
  const auto text_of = [](const std::string& model) {
    return run_program({"predict", model, shop().shapes("val") + "/star"}).output;
  };
  EXPECT_EQ(text_of(onnx), text_of(best));
  expect_refusal({"predict", onnx, shop().shapes("val"), "--precision", "bf16"},
                 "computes in the precision that it was exported in");
}

}  // namespace
}  // namespace mobileone
