// `mobileone convert`, the weights that others publish, and timm's reading and writing of them.
#include <torch/types.h>
#include <torch/utils.h>

#include <cstdlib>

#include "cli/program.h"
#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/checkpoint/safetensors.h"
#include "mobileone/checkpoint/torch_file.h"
#include "mobileone/export/compare.h"

namespace mobileone {
namespace {

void convert(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "convert");
  const auto outcome = run_program(arguments);
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
}

std::string refusal(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "convert");
  const auto outcome = run_program(arguments);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.output, "");
  return outcome.errors;
}

bool python_runs(const std::string& arguments) {
  return std::system((MOBILEONE_SOURCE_DIR "/.deps/venv/bin/python " + arguments).c_str()) == 0;
}

void expect_equal(const StateDict& actual, const StateDict& expected) {
  ASSERT_EQ(actual.keys(), expected.keys());
  for (const auto& item : expected) {
    EXPECT_TRUE(actual[item.key()].equal(item.value())) << item.key();
  }
}

/// What commands take of a checkpoint.
const StateDict& better_weights(const Checkpoint& checkpoint) {
  return checkpoint.better == Weights::kRaw ? checkpoint.weights : checkpoint.ema;
}

TEST(Convert, TheBetterWeightsOrThoseAskedFor) {
  const std::string last = shop().path("run/last.pth"), out = shop().path("converted.pth");
  const Checkpoint trained = load_checkpoint(last);
  convert({last, out});
  expect_equal(load_checkpoint(out).weights, better_weights(trained));
  convert({last, out, "--ema"});
  const Checkpoint averaged = load_checkpoint(out);
  expect_equal(averaged.weights, trained.ema);
  EXPECT_TRUE(averaged.ema.is_empty());
  EXPECT_FALSE(averaged.training);
  EXPECT_EQ(averaged.config, trained.config);
  EXPECT_EQ(averaged.class_names, trained.class_names);
  convert({last, out, "--raw", "--dialect", "corenet"});
  const Checkpoint raw = load_checkpoint(out);
  expect_equal(raw.weights, trained.weights);
  EXPECT_TRUE(raw.class_names.empty());
}

TEST(Convert, AroundAllDialectsAndBack) {
  const std::string best = shop().path("run/best.pth");
  std::string from = best;
  for (const char* dialect : {"timm", "mmpretrain", "corenet", "apple"}) {
    for (const char* ending : {".safetensors", ".pth.tar", ".bin"}) {
      const std::string to = shop().path(std::string("around_") + dialect + ending);
      convert({from, to, "--dialect", dialect});
      from = to;
    }
  }
  expect_equal(load_checkpoint(from).weights, better_weights(load_checkpoint(best)));
  const auto outcome = run_program(
      {"eval", from, "--data", shop().shapes("val"), "--resize", "32", "--crop", "32", "--json"});
  const auto expected = run_program({"eval", best, "--data", shop().shapes("val"), "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_EQ(outcome.output.substr(0, outcome.output.find(",\"images_per_second")),
            expected.output.substr(0, expected.output.find(",\"images_per_second")));
}

TEST(Convert, FoldsInFloat64AndRoundsOnce) {
  const std::string best = shop().path("run/best.pth"), out = shop().path("folded.safetensors");
  Checkpoint unfolded = load_checkpoint(best);
  MobileOne network = make_network(unfolded, best);
  network->to(torch::kFloat64);
  const StateDict expected = state_dict(*fold(network));
  for (const auto& [name, dtype] : {std::pair{"float32", torch::kFloat32},
                                    {"float16", torch::kFloat16},
                                    {"bfloat16", torch::kBFloat16},
                                    {"float64", torch::kFloat64}}) {
    convert({best, out, "--folded", "--dtype", name});
    const Checkpoint folded = load_checkpoint(out);
    EXPECT_TRUE(folded.folded());
    for (const auto& item : expected) {
      const auto& tensor = folded.weights[item.key()];
      EXPECT_EQ(tensor.scalar_type(), dtype);
      EXPECT_TRUE(tensor.equal(item.value().to(dtype))) << item.key();
    }
    const auto evaluated = run_program({"eval", out, "--data", shop().shapes("val")});
    EXPECT_EQ(evaluated.status, 0) << evaluated.errors;
  }
  const auto exported = run_program({"export", out, "-o", shop().path("from_folded.pt")});
  EXPECT_EQ(exported.status, 0) << exported.errors;
}

TEST(Convert, HalfPrecisionWeightsFold) {
  const std::string half = shop().path("float16.pth"), folded = shop().path("float16_folded.pth");
  convert({shop().path("run/best.pth"), half, "--dialect", "timm", "--dtype", "float16"});
  const auto outcome = run_program({"reparam", half, "-o", folded});
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
}

TEST(Convert, SaysWhatAStateDictDoesNotTell) {
  const std::string out = shop().path("stride.pth"), safe = shop().path("stride.safetensors");
  ASSERT_EQ(run_program(shop().training("stride_run", {"model.stem_stride=1"})).status, 0);
  const std::string best = shop().path("stride_run/best.pth");
  const auto timm = run_program({"convert", best, out, "--dialect", "timm"});
  EXPECT_EQ(timm.status, 0);
  EXPECT_NE(timm.errors.find("does not tell that model.stem_stride is 1 (assumed: 2), "
                             "data.eval_resize is 32 (assumed: 256), data.eval_crop is 32 "
                             "(assumed: 224); "),
            std::string::npos)
      << timm.errors;
  const auto corenet = run_program({"convert", best, out, "--dialect", "corenet"});
  EXPECT_NE(corenet.errors.find("data.mean is [0.485, 0.456, 0.406] (assumed: [0, 0, 0])"),
            std::string::npos)
      << corenet.errors;
  const auto kept = run_program({"convert", best, safe, "--dialect", "corenet"});
  EXPECT_EQ(kept.errors.find("does not tell"), std::string::npos) << kept.errors;
  EXPECT_EQ(load_checkpoint(safe).config.model.stem_stride, 1);
  EXPECT_EQ(load_checkpoint(safe).config.data.mean, DataConfig().mean);
}

TEST(Convert, RefusesInOneLine) {
  const std::string best = shop().path("run/best.pth");
  EXPECT_EQ(refusal({best, "x.onnx"}),
            "mobileone: x.onnx: its name tells no format: expected it to end in .pth, .pt, .bin, "
            ".pth.tar or .safetensors\n");
  EXPECT_EQ(refusal({best, best}),
            "mobileone: " + best + ": would be overwritten; name another file\n");
  EXPECT_NE(refusal({best, "x.pth", "--dialect", "keras"}).find("--dialect"), std::string::npos);
  StateDict huge = load_checkpoint(best).weights;
  huge["linear.bias"] = torch::full({huge["linear.bias"].size(0)}, 1e5);
  const std::string file = shop().path("huge.safetensors");
  write_safetensors(file, huge);
  EXPECT_EQ(refusal({file, shop().path("never.pth"), "--dtype", "float16"}),
            "mobileone: " + file +
                ": linear.bias has numbers beyond the largest Half; choose another --dtype\n");
  EXPECT_FALSE(std::filesystem::exists(shop().path("never.pth")));
}

TEST(Convert, PythonLoadsWhatItWrites) {
  if (!python_runs("-c 'import torch' 2>/dev/null")) {
    GTEST_SKIP() << "needs Python with torch in .deps/venv: scripts/setup.sh";
  }
  const std::string out = shop().path("python.pth");
  convert({shop().path("run/best.pth"), out, "--dialect", "mmpretrain", "--folded"});
  EXPECT_TRUE(python_runs(
      fmt::format("-c \"import torch; s = torch.load('{}', weights_only=True); assert "
                  "'head.fc.weight' in s and "
                  "'backbone.stage0.branch_reparam.bias' in s and len(s) == 20, list(s)\"",
                  out)));
}

/// Logits of the network in a file, in float64.
torch::Tensor logits_of(const std::string& path, const torch::Tensor& images) {
  torch::NoGradGuard no_grad;
  auto network = make_network(load_checkpoint(path), path);
  network->to(torch::kFloat64);
  return network->forward(images.to(torch::kFloat64));
}

/// A network as initialised, but with running statistics and norms of its own.
Checkpoint random_checkpoint(Variant variant) {
  torch::NoGradGuard no_grad;
  Checkpoint checkpoint;
  checkpoint.config.model.variant = variant;
  checkpoint.config.model.num_classes = 10;
  for (auto& item : state_dict(*MobileOne(network_options(checkpoint.config.model)))) {
    const std::string& name = item.key();
    const bool is_norm = name.find(".bn.") != name.npos || name.find("rbr_skip") != name.npos;
    if (is_norm && item.value().is_floating_point()) item.value().uniform_(0.5, 1.5);
    checkpoint.weights.insert(name, item.value());
  }
  return checkpoint;
}

TEST(Convert, TimmComputesTheSameBothWays) {
  if (!python_runs(
          "-c \"import importlib.util as u, safetensors, torch; assert u.find_spec('timm')\" "
          "2>/dev/null")) {
    GTEST_SKIP() << "needs Python with timm in .deps/venv: scripts/setup.sh";
  }
  torch::manual_seed(0);
  const std::string folder = shop().path("timm/");
  const auto images = torch::randn({2, 3, 64, 64});
  write_torch_file(folder + "input.pth", Value::Dict{{"images", images}});
  for (const auto& variant : enum_names(Variant{})) {
    const std::string start = fmt::format("{}ours_{}_", folder, variant.name);
    save_checkpoint(start + "checkpoint.pth", random_checkpoint(variant.value));
    convert({start + "checkpoint.pth", start + "unfolded.pth", "--dialect", "timm"});
    convert({start + "checkpoint.pth", start + "folded.safetensors", "--dialect", "timm",
             "--folded", "--dtype", "float64"});
  }
  ASSERT_TRUE(python_runs(MOBILEONE_SOURCE_DIR "/tests/python/timm_peer.py " + folder));
  const Value timm = read_torch_file(folder + "logits.pth");
  for (const auto& variant : enum_names(Variant{})) {
    for (const char* file : {"ours_{}_unfolded.pth", "ours_{}_folded.safetensors",
                             "timm_{}_unfolded.safetensors", "timm_{}_folded.pth"}) {
      const std::string name = fmt::format(fmt::runtime(file), variant.name);
      const Difference difference = largest_difference(
          timm.at(name.substr(0, name.find('.'))).as_tensor(), logits_of(folder + name, images));
      EXPECT_LT(difference.relative, 1e-10) << name;
      EXPECT_EQ(load_checkpoint(folder + name).config.model.variant, variant.value);
    }
  }
}

}  // namespace
}  // namespace mobileone
