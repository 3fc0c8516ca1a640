// What the writers make of a network that is no chain.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/export/onnx.h"
#include "mobileone/export/torchscript.h"
#include "mobileone/model/graph_runner.h"
#include "mobileone/model/lower.h"
#include "onnx_peer.h"

namespace mobileone {
namespace {

Checkpoint small_checkpoint() {
  Checkpoint checkpoint;
  Config& config = checkpoint.config;
  config.model.head = HeadKind::kDeepLabV3;
  config.model.num_classes = 6;
  config.model.width_multipliers = {0.25, 0.25, 0.25, 0.25};
  config.model.depths = {1, 2, 2, 1};
  config.model.se_blocks = {0, 0, 1, 0};
  config.segment.channels = 12;
  config.segment.rates = {2, 3, 4};
  config.data.eval_crop = 64;
  return checkpoint;
}

MobileOne random_network(const Checkpoint& checkpoint) {
  torch::manual_seed(2);
  torch::NoGradGuard no_grad;
  auto options = network_options(checkpoint.config);
  options.folded = true;
  MobileOne network(options);
  for (auto& parameter : network->parameters()) {
    if (parameter.dim() == 1) parameter.uniform_(-0.2, 0.2);
  }
  network->eval();
  return network;
}

class DeepLab : public testing::Test {
 protected:
  torch::NoGradGuard no_grad;
  const Checkpoint checkpoint = small_checkpoint();
  const MobileOne network = random_network(checkpoint);
  const graph::Graph graph = lower(network);
  const Package outside = package(network, checkpoint, "deeplab.pth", Preprocessing::kOutside),
                inside = package(network, checkpoint, "deeplab.pth", Preprocessing::kInside,
                                 {.argmax = true});
};

TEST_F(DeepLab, IsTheSameInTorchScriptOfEachForm) {
  for (const auto form :
       {TorchScriptForm::kPortable, TorchScriptForm::kFused, TorchScriptForm::kPacked}) {
    auto module = to_torchscript(graph, form);
    for (const auto& [height, width] : {std::pair{64, 64}, {97, 50}}) {
      const auto x = torch::randn({2, 3, height, width});
      const auto expected = outside.reference(x), actual = module.forward({x}).toTensor();
      EXPECT_EQ(actual.sizes(), torch::IntArrayRef({2, 6, height, width}));
      EXPECT_LT(largest_difference(expected, actual).relative, 1e-5);
    }
  }
}

TEST_F(DeepLab, HasItsKeysAndReadableCodeInTorchScript) {
  const auto module = to_torchscript(graph, TorchScriptForm::kPortable);
  std::vector<std::string> names, expected;
  for (const auto& parameter : module.named_parameters()) names.push_back(parameter.name);
  for (const auto& parameter : graph.parameters) expected.push_back(parameter.name);
  EXPECT_EQ(names, expected);
  const auto stage = module.attr("stage1").toModule();
  EXPECT_TRUE(stage.find_method("forward").has_value());
  EXPECT_TRUE(stage.attr("0").toModule().find_method("forward").has_value());
  EXPECT_TRUE(module.attr("head").toModule().attr("aspp2").toModule().find_method("forward"));
}

TEST_F(DeepLab, IsDescribed) {
  EXPECT_EQ(outside.description.task, "segmentation");
  EXPECT_EQ(outside.description.output, "logits");
  EXPECT_EQ(inside.description.output, "classes");
  EXPECT_EQ(package(network, checkpoint, "deeplab.pth", Preprocessing::kInside).description.output,
            "logits");
}

TEST_F(DeepLab, IsExportedAndReadBack) {
  const TestFolder folder;
  const std::string path = folder.path("deeplab.pt");
  for (const auto& options : {FormatOptions{}, FormatOptions{.frozen = true}}) {
    EXPECT_LT(export_torchscript(outside, path, options)->relative, 1e-5);
    EXPECT_LE(export_torchscript(inside, path, options)->absolute, 1e-4);
  }
}

TEST_F(DeepLab, IsANetworkAgainInTorchScript) {
  const TestFolder folder;
  const std::string path = folder.path("deeplab.pt");
  export_torchscript(outside, path);
  const auto x = torch::randn({2, 3, 64, 50});
  const auto actual = make_network(load_checkpoint(path), path)->forward(x);
  EXPECT_LT(largest_difference(outside.reference(x), actual).relative, 1e-5);
}

TEST_F(DeepLab, IsTheSameInOnnx) {
  if (!has_onnx()) GTEST_SKIP() << kNeedsOnnx;
  const OnnxPeer peer;
  export_onnx(outside, peer.model());
  std::vector<std::string> cases;
  for (const auto& [height, width] : {std::pair{64, 64}, {97, 50}}) {
    const auto x = torch::randn({2, 3, height, width});
    cases.push_back(peer.leave_case(x, outside.reference(x)));
  }
  auto answer = peer.ask_peer(cases);
  peer.expect_near(answer, 1e-4);
  EXPECT_EQ(answer["output_shape"], nlohmann::json({"batch", 6, "height", "width"}));

  export_onnx(inside, peer.model());
  const auto images = torch::randint(256, {2, 72, 56, 3}, torch::kByte);
  answer = peer.ask_peer({peer.leave_case(images, GraphRunner(inside.graph)(images).front())});
  peer.expect_near(answer, 1e-3, "unequal");
  EXPECT_EQ(answer["output"], "classes");
  EXPECT_EQ(answer["output_types"], nlohmann::json({"uint8"}));
  EXPECT_EQ(answer["output_shape"], nlohmann::json({"batch", "height", "width"}));
}

}  // namespace
}  // namespace mobileone
