// `mobileone export` in its forms, and what takes them.
#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "mobileone/checkpoint/checkpoint.h"
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

nlohmann::json accuracy(const std::string& model, std::vector<std::string> options = {}) {
  options.insert(options.begin(), {"eval", model, "--data", shop().shapes("val"), "--json"});
  const auto outcome = run_program(options);
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  return nlohmann::json::parse(outcome.output);
}

void expect_refusal(const std::vector<std::string>& arguments, const std::string& message) {
  const auto outcome = run_program(arguments);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_NE(outcome.errors.find(message), std::string::npos) << outcome.errors;
  EXPECT_EQ(count_errors(outcome.errors), 1) << outcome.errors;
}

TEST(ExportForms, AFloat16FileIsEvaluatedAsTheOthers) {
  const auto whole = accuracy(exported("float32.pt")),
             half = accuracy(exported("float16.pt", {"--dtype", "float16"}));
  EXPECT_NEAR(whole["loss"].get<double>(), half["loss"].get<double>(), 0.01);
  EXPECT_LT(std::filesystem::file_size(shop().path("float16.pt")) + 5000,
            std::filesystem::file_size(shop().path("float32.pt")));
  const auto run = accuracy(shop().path("float16.pt"), {"--run-code"});
  EXPECT_EQ(
      accuracy(exported("frozen16.pt", {"--dtype", "float16", "--freeze"}), {"--run-code"})["loss"],
      run["loss"]);
  EXPECT_NEAR(run["loss"].get<double>(), half["loss"].get<double>(), 0.01);
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

/// By ONNX Runtime in Python.
nlohmann::json onnx_accuracy(const std::string& model) {
  const std::string answer = shop().path("onnx.json");
  const std::string command =
      fmt::format("{}/.deps/venv/bin/python {}/scripts/evaluate_onnx.py {} --data {} --json > {}",
                  MOBILEONE_SOURCE_DIR, MOBILEONE_SOURCE_DIR, model, shop().shapes("val"), answer);
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  return nlohmann::json::parse(read_file(answer));
}

TEST(ExportForms, OnnxIsAsAccurateAsTheCheckpoint) {
  const std::string python = MOBILEONE_SOURCE_DIR "/.deps/venv/bin/python";
  if (std::system((python + " -c 'import numpy, onnxruntime, PIL' 2>/dev/null").c_str()) != 0) {
    GTEST_SKIP() << "needs Python with numpy, onnxruntime and Pillow in .deps/venv: "
                    "scripts/setup.sh";
  }
  const std::string best = shop().path("run/best.pth"), quantized = shop().path("in8bits.onnx");
  const auto expected = accuracy(best);
  for (const auto& options :
       {std::vector<std::string>{}, {"--with-preprocessing"}, {"--dtype", "float16"}}) {
    const auto found = onnx_accuracy(exported("model.onnx", options));
    for (const char* key : {"top1", "top5", "images"}) EXPECT_EQ(found[key], expected[key]) << key;
  }
  const auto outcome = run_program(
      {"quantize", best, "--data", shop().shapes("train"), "-o", quantized, "--images", "20"});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_NEAR(onnx_accuracy(quantized)["top1"].get<double>(), expected["top1"].get<double>(), 10);
}

TEST(ExportForms, QuantizeSaysWhatIsLost) {
  const std::string best = shop().path("run/best.pth"), path = shop().path("quantized.onnx"),
                    data = shop().shapes("train");
  const auto outcome =
      run_program({"quantize", best, "--data", data, "-o", path, "--images", "20", "--seed", "3"});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_NE(outcome.output.find("layers in 8 bits, the noisiest:"), std::string::npos);
  EXPECT_NE(outcome.output.find("logits: signal to noise"), std::string::npos);
  for (const auto& [arguments, error] :
       {std::pair{std::vector<std::string>{"-o", shop().path("q.pt")}, ".onnx"},
        {{"-o", path, "--images", "1000"}, "expected 1000 to learn ranges from"},
        {{"-o", path, "--images", "20", "--keep-float", "none"}, "none: is no layer"},
        {{"-o", path, "--images", "20", "--argmax"}, "--argmax: is for segmentation"}}) {
    auto command = arguments;
    command.insert(command.begin(), {"quantize", best, "--data", data});
    expect_refusal(command, error);
  }
}

TEST(ExportForms, TheNameOrTheOptionSaysTheFormat) {
  const std::string onnx_name = exported("graph.onnx"),
                    onnx_option = exported("graph", {"--format", "onnx"});
  EXPECT_EQ(read_file(onnx_name), read_file(onnx_option));
  EXPECT_EQ(load_torchscript(exported("script")).description.interface.type, ExportType::kFloat32);
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
                    frozen = exported("frozen.pt", {"--freeze"}), onnx = exported("elsewhere.onnx"),
                    image = shop().shapes("val") + "/star/0001.jpg";
  expect_refusal({"predict", inside, image, "--run-code"}, "without --with-preprocessing");
  expect_refusal({"eval", inside, "--data", shop().shapes("val"), "--run-code"},
                 "without --with-preprocessing");
  expect_refusal({"predict", frozen, image}, "--run-code");
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

TEST(ExportForms, TorchScriptReadBackIsTheNetworkWithItsDescription) {
  const std::string best = shop().path("run/best.pth");
  const auto expected = accuracy(best);
  const Checkpoint original = load_checkpoint(best);
  for (const auto& options : {std::vector<std::string>{},
                              {"--portable"},
                              {"--with-preprocessing"},
                              {"--dtype", "float16"}}) {
    const std::string script = exported("back.pt", options);
    const Checkpoint read = load_checkpoint(script);
    EXPECT_EQ(read.config, original.config);
    EXPECT_EQ(read.class_names, original.class_names);
    EXPECT_EQ(accuracy(script)["top1"], expected["top1"]);
    const std::string copy = shop().path("back.pth");
    ASSERT_EQ(run_program({"convert", script, copy}).status, 0);
    EXPECT_EQ(accuracy(copy)["loss"], accuracy(script)["loss"]);
  }
}

TEST(ExportForms, CodeOfOthersRunsOnlyWhereItIsAskedFor) {
  const std::string program = shop().path("program.pt"), data = shop().shapes("val");
  torch::jit::Module module("net");
  module.define("def forward(self, x):\n  return x.mean(2).mean(2)[:, :1].expand(-1, 5)\n");
  module.save(program);
  expect_refusal({"eval", program, "--data", data}, "--run-code runs it");
  expect_refusal({"predict", program, data + "/star/0001.jpg"}, "--run-code runs it");
  EXPECT_EQ(run_program({"predict", program, data + "/star/0001.jpg", "--run-code"}).status, 0);
  std::string damaged = read_file(exported("whole.pt"));
  damaged[damaged.find("config.yaml") + 100] ^= 1;
  write_whole(shop().path("damaged.pt"), damaged);
  for (const char* option : {"--cpu", "--run-code"}) {
    expect_refusal({"eval", shop().path("damaged.pt"), "--data", data, option}, "is damaged");
  }
}

/// A copy of the run's best network in which all numbers of a tensor are another.
std::string spoilt(const std::string& tensor, double number) {
  Checkpoint checkpoint = load_checkpoint(shop().path("run/best.pth"));
  for (StateDict* state : {&checkpoint.weights, &checkpoint.ema}) {
    if (state->contains(tensor)) (*state)[tensor].fill_(number);
  }
  const std::string path = shop().path("spoilt.pth");
  save_checkpoint(path, checkpoint);
  return path;
}

TEST(UnsoundNetworks, AreNamedAndNeitherEvaluatedNorShipped) {
  const std::string image = shop().shapes("val") + "/star/0001.jpg", out = shop().path("unsound");
  const std::string kernel = "stage0.rbr_conv.0.conv.weight",
                    variance = "stage1.0.rbr_conv.0.bn.running_var";
  for (const auto& [tensor, number] :
       {std::pair{kernel, NAN}, {kernel, INFINITY}, {variance, 0.f}, {variance, -1.f}}) {
    const std::string path = spoilt(tensor, number);
    expect_refusal({"eval", path, "--data", shop().shapes("val")}, tensor);
    expect_refusal({"predict", path, image}, tensor);
    for (const char* ending : {".pt", ".onnx"}) {
      expect_refusal({"export", path, "-o", out + ending}, tensor);
      EXPECT_FALSE(std::filesystem::exists(out + ending));
    }
    expect_refusal({"reparam", path, "-o", out + ".pth"}, tensor);
    EXPECT_FALSE(std::filesystem::exists(out + ".pth"));
    const auto converted = run_program({"convert", path, out + ".safetensors"});
    EXPECT_EQ(converted.status, 0);
    EXPECT_NE(converted.errors.find("warning: "), std::string::npos);
    EXPECT_NE(converted.errors.find(tensor), std::string::npos) << converted.errors;
  }
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"export", spoilt(kernel, NAN), "-o", out + ".pt"},
           {"reparam", spoilt(kernel, NAN), "-o", out + ".pth"}}) {
    auto forced = command;
    forced.push_back("--force");
    const auto outcome = run_program(forced);
    EXPECT_EQ(outcome.status, 0) << outcome.errors;
    EXPECT_NE(outcome.errors.find("warning: "), std::string::npos);
    EXPECT_TRUE(std::filesystem::exists(command.back()));
  }
}

TEST(LargeLogits, AreFoldedAndSpokenOf) {
  Checkpoint checkpoint = load_checkpoint(shop().path("run/best.pth"));
  for (StateDict* state : {&checkpoint.weights, &checkpoint.ema}) {
    if (!state->is_empty()) (*state)["linear.weight"].mul_(1e10);
  }
  const std::string path = shop().path("large.pth");
  save_checkpoint(path, checkpoint);
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"reparam", path, "-o", shop().path("large_folded.pth"), "--data", shop().shapes("val")},
           {"export", path, "-o", shop().path("large.pt")},
           {"export", path, "-o", shop().path("large.onnx")},
           {"eval", path, "--data", shop().shapes("val")}}) {
    const auto outcome = run_program(command);
    EXPECT_EQ(outcome.status, 0) << outcome.errors;
    EXPECT_NE(outcome.errors.find("its logits reach"), std::string::npos) << outcome.errors;
  }
  expect_refusal({"export", path, "-o", shop().path("large16.onnx"), "--dtype", "float16"},
                 "float16 holds none above 65504");
}

}  // namespace
}  // namespace mobileone
