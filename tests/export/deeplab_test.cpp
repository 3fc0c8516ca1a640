// What the writers make of a network that is no chain: dilated branches, joined, and resized to the
// image.
#include <gtest/gtest.h>
#include <torch/types.h>
#include <unistd.h>

#include <filesystem>

#include "graph_interpreter.h"
#include "mobileone/export/onnx.h"
#include "mobileone/export/torchscript.h"
#include "mobileone/graph/passes.h"
#include "mobileone/graph/shapes.h"
#include "mobileone/model/lower.h"
#include "onnx_peer.h"

namespace mobileone {
namespace {

UnitOptions layer(const std::string& name, int64_t in, int64_t out, int64_t kernel = 1,
                  int64_t dilation = 1) {
  UnitOptions unit;
  unit.name = name;
  unit.in_channels = in;
  unit.out_channels = out;
  unit.kernel = kernel;
  unit.dilation = dilation;
  return unit;
}

/// A head as DeepLabV3's: logits [N,classes,H,W] at the image's size.
graph::Value add_head(graph::Graph& graph, int64_t in, int64_t classes, graph::Value x) {
  constexpr int64_t kWidth = 12;
  std::vector<graph::Value> maps{lower_unit(graph, layer("head.aspp0", in, kWidth), x)};
  for (const int64_t rate : {2, 3}) {
    maps.push_back(
        lower_unit(graph, layer(fmt::format("head.aspp{}", rate), in, kWidth, 3, rate), x));
  }
  const auto mean = graph.add({"head.mean", graph::GlobalMean{.keep_sizes = true}, {x}});
  const auto pooled = lower_unit(graph, layer("head.pooling", in, kWidth), mean);
  maps.push_back(graph.add({"head.spread", graph::Resize{}, {pooled, x}}));
  const auto joined = graph.add({"head.join", graph::Concat{}, maps});
  const auto project = layer("head.project", 4 * kWidth, kWidth);
  const auto logits = lower_conv(graph, "head.classify", layer("", kWidth, classes),
                                 lower_unit(graph, project, joined));
  return graph.add({"head.resize", graph::Resize{}, {logits, graph.input.value}});
}

NetworkOptions backbone() {
  ModelConfig config;
  config.width_multipliers = {0.25, 0.25, 0.25, 0.25};
  config.depths = {1, 2, 2, 1};
  config.se_blocks = {0, 0, 1, 0};
  config.output_stride = 16;
  auto options = network_options(config, 0);
  options.num_classes = 0;
  return options;
}

graph::Graph random_graph() {
  torch::manual_seed(2);
  const auto options = backbone();
  graph::Graph graph;
  const auto stages = lower_stages(graph, options, graph.input.value);
  graph.outputs = {
      {"logits", add_head(graph, options.stages.back().channels, /*classes=*/6, stages.back())}};
  StateDict state;
  for (const auto& [name, array] : graph.parameters) {
    const auto values = torch::randn(array.shape);
    const double fan_in = static_cast<double>(graph::element_count(array.shape)) / array.shape[0];
    state.insert(name, array.shape.size() == 1 ? values * 0.1 : values * std::sqrt(2 / fan_in));
  }
  take_values(graph, state);
  return graph;
}

Package packed(graph::Graph graph, Preprocessing preprocessing) {
  Package package;
  package.description.interface.preprocessing = preprocessing;
  package.description.preparation = {.crop = 64, .mean = {0.4, 0.5, 0.6}, .std = {0.2, 0.2, 0.3}};
  package.reference = [graph](const torch::Tensor& x) {
    return GraphInterpreter(graph)(x).front();
  };
  if (preprocessing == Preprocessing::kInside) {
    graph = graph::with_last(graph::with_levels(graph, {{102, 127.5, 153}, {51, 51, 76.5}}),
                             "argmax", graph::ArgMax{}, "classes");
  }
  package.graph = std::move(graph);
  package.description.output = package.graph.outputs.front().name;
  return package;
}

class DeepLab : public testing::Test {
 protected:
  torch::NoGradGuard no_grad;
  const graph::Graph graph = random_graph();
  const Package outside = packed(graph, Preprocessing::kOutside),
                inside = packed(graph, Preprocessing::kInside);
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

TEST_F(DeepLab, IsExportedAndReadBack) {
  const auto path =
      std::filesystem::temp_directory_path() / fmt::format("mobileone_deeplab_{}.pt", ::getpid());
  for (const auto& options : {FormatOptions{}, FormatOptions{.frozen = true}}) {
    EXPECT_LT(export_torchscript(outside, path, options)->relative, 1e-5);
    EXPECT_LE(export_torchscript(inside, path, options)->absolute, 1e-4);
  }
  std::filesystem::remove(path);
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
  answer = peer.ask_peer({peer.leave_case(images, GraphInterpreter(inside.graph)(images).front())});
  peer.expect_near(answer, 1e-3, "unequal");
  EXPECT_EQ(answer["output"], "classes");
  EXPECT_EQ(answer["output_types"], nlohmann::json({"int64"}));
  EXPECT_EQ(answer["output_shape"], nlohmann::json({"batch", "height", "width"}));
}

}  // namespace
}  // namespace mobileone
