#include "mobileone/export/onnx.h"

#include <gtest/gtest.h>
#include <torch/nn/init.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <protozero/pbf_reader.hpp>

#include "by_network.h"
#include "mobileone/export/compare.h"
#include "mobileone/model/graph_runner.h"
#include "mobileone/model/lower.h"
#include "mobileone/quant/quantize.h"
#include "mobileone/util/error.h"
#include "mobileone/util/version.h"
#include "onnx_peer.h"

namespace mobileone {
namespace {

Checkpoint described(Variant variant) {
  Checkpoint checkpoint;
  checkpoint.config.model.variant = variant;
  checkpoint.config.model.num_classes = 10;
  checkpoint.config.data.eval_resize = 72;
  checkpoint.config.data.eval_crop = 64;
  checkpoint.config.data.interpolation = Interpolation::kBicubic;
  for (int i = 0; i < 10; ++i) checkpoint.class_names.push_back("class \"" + std::to_string(i));
  checkpoint.metrics.emplace_back("val_top1", 71.5);
  return checkpoint;
}

/// Random weights with the running statistics of random images, so that activations and logits are
/// of order one as a trained network's, and with skips that outweigh the other branches: otherwise
/// each unit of a random network magnifies rounding, a thousandfold in all.
MobileOne calibrated(const Checkpoint& checkpoint) {
  torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  MobileOne network(network_options(checkpoint.config.model));
  std::vector<torch::nn::BatchNorm2dImpl*> norms;
  for (const auto& item : network->named_modules()) {
    auto* norm = item.value()->as<torch::nn::BatchNorm2d>();
    if (!norm) continue;
    norms.push_back(norm);
    norm->options.momentum(1.0);
    const bool skip = item.key().ends_with("rbr_skip");
    torch::nn::init::uniform_(norm->weight, skip ? 0.8 : 0.1, skip ? 1.2 : 0.4);
    torch::nn::init::uniform_(norm->bias, -0.1, 0.2);
  }
  auto& linear = network->linear()->weight;
  torch::nn::init::normal_(linear, 0, 4 / std::sqrt(static_cast<double>(linear.size(1))));
  network->engine = Engine::kBranches;
  network->train();
  // Images of different brightness and colour.
  network->forward(seeded_input(network, 8, 96) + torch::randn({8, 3, 1, 1}));
  // A channel that those images leave without variance would magnify that of others.
  for (auto* norm : norms) norm->running_var.clamp_min_(0.01);
  network->eval();
  return network;
}

class Onnx : public testing::TestWithParam<int>, protected OnnxPeer {
 protected:
  void SetUp() override {
    if (!has_onnx()) GTEST_SKIP() << kNeedsOnnx;
    network = calibrated(checkpoint);
  }

  Checkpoint checkpoint = described(static_cast<Variant>(GetParam()));
  MobileOne network{nullptr};
};

TEST_P(Onnx, RuntimesGiveTheNetworksLogitsAtAnyBatchAndSize) {
  torch::NoGradGuard no_grad;
  auto folded = fold_for_export(network, ExportType::kFloat32, "test.pth");
  export_onnx(folded, checkpoint, "test.pth", model(), Preprocessing::kOutside);
  std::vector<std::string> shapes;
  for (const auto& [batch, size] : {std::pair{1, 64}, {3, 64}, {2, 97}}) {
    const auto x = seeded_input(folded, batch, size);
    const auto logits = folded->forward(x);
    const double largest = logits.abs().max().item<double>();
    EXPECT_TRUE(largest > 0.2 && largest < 20) << largest;
    shapes.push_back(leave_case(x, logits));
  }
  const auto answer = ask_peer(shapes);
  expect_near(answer, 1e-4);
  EXPECT_EQ(answer["opsets"], nlohmann::json::parse(R"([["", 17]])"));
  EXPECT_EQ(answer["producer"], nlohmann::json({"mobileone", version()}));
  EXPECT_EQ(answer["initializers"], nlohmann::json(state_dict(*folded).keys()));
  EXPECT_EQ(answer["input"], nlohmann::json({"batch", 3, "height", "width"}));
  EXPECT_EQ(answer["output"], "logits");
}

TEST_P(Onnx, RuntimesComputeQuantizedNetworksAsWeDo) {
  torch::NoGradGuard no_grad;
  const auto variant = static_cast<Variant>(GetParam());
  if (variant != Variant::kS0 && variant != Variant::kS4) return;  // with and without gates
  const auto folded = fold_for_export(network, ExportType::kFloat32, "test.pth");
  const auto images = seeded_input(folded, 8, 64);
  const graph::Graph graph = quantize(lower(folded), {images}, {}).graph;
  export_onnx(package(folded, checkpoint, "test.pth", Preprocessing::kOutside, {}, graph), model());
  const auto logits = GraphRunner(graph)(images).front();
  const auto answer = ask_peer({leave_case(images, logits)});
  // Gates are computed in floating point: sometimes a value is rounded to the other side.
  expect_near(answer, 0.1 * logits.abs().max().item<double>());
  const auto kinds = answer["nodes"].get<std::vector<std::string>>();
  EXPECT_GT(std::ranges::count(kinds, "QuantizeLinear"), 44);
  EXPECT_EQ(std::ranges::count(kinds, "Relu"), 0);
}

TEST_P(Onnx, MetadataSaysHowImagesArePrepared) {
  export_onnx(fold_for_export(network, ExportType::kFloat32, "test.pth"), checkpoint, "test.pth",
              model(), Preprocessing::kOutside);
  const auto metadata = ask_peer({})["metadata"];
  const auto list = [&](const char* key) {
    return nlohmann::json::parse(metadata[key].get<std::string>());
  };
  EXPECT_EQ(list("class_names"), nlohmann::json(checkpoint.class_names));
  EXPECT_EQ(metadata["resize"], "72");
  EXPECT_EQ(metadata["crop"], "64");
  EXPECT_EQ(metadata["interpolation"], "bicubic");
  EXPECT_EQ(list("mean"), nlohmann::json(checkpoint.config.data.mean));
  EXPECT_EQ(list("std"), nlohmann::json(checkpoint.config.data.std));
  EXPECT_EQ(list("mobileone.json")["metrics"]["val_top1"], 71.5);
  EXPECT_NE(metadata["config.yaml"].get<std::string>().find("eval_crop: 64"), std::string::npos);
}

// Weights and, in some runtimes, activations are rounded to 11 bits, by up to 2^-11. Two roundings
// a unit that add up as independent errors do are sqrt(2 units) 2^-11 = 0.5 % of the logits after
// 45 units. Twice that is allowed.
TEST_P(Onnx, InFloat16LogitsAreWithinAPercent) {
  torch::NoGradGuard no_grad;
  export_onnx(fold_for_export(network, ExportType::kFloat16, "test.pth"), checkpoint, "test.pth",
              model(), Preprocessing::kOutside);
  const auto x = seeded_input(network, 3, 64).to(torch::kHalf);
  const auto logits = network->forward(x.to(torch::kFloat32));
  const auto answer = ask_peer({leave_case(x, logits)});
  expect_near(answer, 0.01 * logits.abs().max().item<double>());
  EXPECT_EQ(answer["output_types"], nlohmann::json({"float16"}));
}

TEST_P(Onnx, PreprocessingInsideIsPreprocessingOutside) {
  torch::NoGradGuard no_grad;
  const auto images = torch::randint(256, {3, 64, 64, 3}, torch::kByte);
  const auto& data = checkpoint.config.data;
  const auto channels = [](const std::vector<double>& values) {
    return torch::tensor(values, torch::kFloat64);
  };
  const auto x = ((images / 255.0 - channels(data.mean)) / channels(data.std)).to(torch::kFloat32);
  const auto probabilities = network->forward(x.permute({0, 3, 1, 2})).softmax(1);
  for (const auto type : {ExportType::kFloat32, ExportType::kFloat16}) {
    export_onnx(fold_for_export(network, type, "test.pth"), checkpoint, "test.pth", model(),
                Preprocessing::kInside);
    const auto answer = ask_peer({leave_case(images, probabilities)});
    expect_near(answer, type == ExportType::kFloat32 ? 1e-4 : 0.02);
    EXPECT_EQ(answer["output_types"], nlohmann::json({"float32"}));
    EXPECT_EQ(answer["input"], nlohmann::json({"batch", "height", "width", 3}));
    EXPECT_EQ(answer["output"], "probabilities");
    EXPECT_FALSE(answer["metadata"].contains("mean"));  // or images would be normalised twice
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, Onnx, testing::Range(0, 5));

TEST(OnnxFiles, HoldOneConvolutionAUnitAndEachParameterOnce) {
  const Checkpoint checkpoint = described(Variant::kS0);
  const MobileOne folded = fold(MobileOne(network_options(checkpoint.config.model)));
  const std::string bytes = to_onnx(folded, checkpoint, "test.pth", Preprocessing::kOutside);
  protozero::pbf_reader model(bytes);
  ASSERT_TRUE(model.next(7));
  protozero::pbf_reader graph = model.get_message();
  size_t convolutions = 0;
  uint64_t bytes_of_weights = 0;
  while (graph.next()) {
    const auto tag = graph.tag();
    if (tag != 1 && tag != 5) {
      graph.skip();
      continue;
    }
    protozero::pbf_reader entry = graph.get_message();
    if (entry.next(tag == 1 ? 4 : 9)) {
      const auto value = entry.get_view();
      tag == 1 ? convolutions += value == protozero::data_view("Conv")
               : bytes_of_weights += value.size();
    }
  }
  EXPECT_EQ(convolutions, folded->units().size());
  uint64_t parameters = 0;
  for (const auto& parameter : folded->parameters()) parameters += parameter.numel();
  EXPECT_EQ(bytes_of_weights, parameters * sizeof(float));
}

TEST(OnnxFiles, AreReadForWhatTheySayOfThemselves) {
  Checkpoint checkpoint = described(Variant::kS0);
  auto options = network_options(checkpoint.config.model);
  options.folded = true;
  const std::string bytes =
      to_onnx(MobileOne(options), checkpoint, "x.pth", Preprocessing::kOutside);
  auto metadata = onnx_metadata(bytes);
  EXPECT_EQ(metadata["crop"], "64");
  EXPECT_EQ(from_json(metadata["mobileone.json"]).class_names, checkpoint.class_names);
  EXPECT_EQ(onnx_metadata(bytes.substr(0, bytes.size() - 1)).count("mobileone.json"), 0u);
  EXPECT_TRUE(onnx_metadata("").empty());
  EXPECT_TRUE(onnx_metadata("no ONNX").empty());
}

TEST(OnnxFiles, SayWhatChannelsTheyTake) {
  Checkpoint checkpoint = described(Variant::kS0);
  checkpoint.config.model.in_channels = 1;
  checkpoint.config.data.mean = {0.5};
  checkpoint.config.data.std = {0.25};
  const MobileOne folded = fold(MobileOne(network_options(checkpoint.config.model)));
  const std::string outside = description(folded, checkpoint, "x", Preprocessing::kOutside),
                    inside = description(folded, checkpoint, "x", Preprocessing::kInside);
  EXPECT_EQ(nlohmann::json::parse(outside)["input"], "float32 [N,1,H,W]");
  EXPECT_EQ(nlohmann::json::parse(outside)["preprocessing"]["channels"], "grey");
  EXPECT_EQ(nlohmann::json::parse(inside)["input"], "uint8 [N,H,W,1]");
  EXPECT_EQ(from_json(inside).interface.preprocessing, Preprocessing::kInside);
}

TEST(OnnxFiles, WeightsThatFloat16CannotHoldAreNamed) {
  torch::NoGradGuard no_grad;
  MobileOne network = calibrated(described(Variant::kS0));
  network->linear()->bias[3] = 1e5;
  try {
    fold_for_export(network, ExportType::kFloat16, "test.pth");
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("test.pth: linear.bias has values up to 1e"))
        << error.what();
  }
}

}  // namespace
}  // namespace mobileone
