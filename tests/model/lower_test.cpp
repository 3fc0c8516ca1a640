#include "mobileone/model/lower.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "mobileone/graph/shapes.h"
#include "mobileone/model/graph_runner.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

/// A network whose numbers are all of order one, so that an error of any weight is seen.
MobileOne random_folded(NetworkOptions options) {
  torch::NoGradGuard no_grad;
  options.folded = true;
  MobileOne network(options);
  for (auto& parameter : network->parameters()) {
    if (parameter.dim() == 1) parameter.uniform_(-0.5, 0.5);
  }
  network->eval();
  return network;
}

NetworkOptions with(const std::function<void(ModelConfig&)>& change) {
  ModelConfig config;
  config.num_classes = 7;
  change(config);
  return network_options(config, 7);
}

void expect_equal(const NetworkOptions& options) {
  torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  const MobileOne network = random_folded(options);
  const graph::Graph graph = lower(network);
  graph::check(graph);
  std::vector<std::string> names;
  for (const auto& parameter : graph.parameters) names.push_back(parameter.name);
  EXPECT_EQ(names, state_dict(*network).keys());
  for (const auto& [height, width] : {std::pair{64, 64}, {33, 50}}) {
    const auto x = torch::randn({2, options.in_channels, height, width});
    const auto expected = MobileOne(network)->forward(x), actual = GraphRunner(graph)(x).front();
    const double largest = expected.abs().max().item<double>();
    EXPECT_LE((expected - actual).abs().max().item<double>(), 1e-6 * largest);
    const auto types = graph::infer_shapes(graph, 2, height, width);
    EXPECT_EQ(types[graph.outputs.front().value.id].shape, expected.sizes().vec());
  }
}

TEST(Lower, GivesTheNetwork) {
  expect_equal(with([](ModelConfig& c) { c.variant = Variant::kS0; }));
  expect_equal(with([](ModelConfig& c) { c.variant = Variant::kS4; }));
  expect_equal(with([](ModelConfig& c) { c.in_channels = 1; }));
  expect_equal(with([](ModelConfig& c) {
    c.stem_stride = 1;
    c.depths = {1, 2, 2, 1};
    c.se_blocks = {1, 0, 2, 1};
    c.output_stride = 8;
  }));
}

TEST(Lower, GivesDeepLab) {
  for (const bool separable : {false, true}) {
    Config config;
    config.model.head = HeadKind::kDeepLabV3;
    config.model.width_multipliers = {0.25, 0.25, 0.25, 0.25};
    config.model.depths = {1, 1, 2, 1};
    config.segment.channels = 12;
    config.segment.rates = {2, 3};
    config.segment.separable = separable;
    expect_equal(network_options(config, 6));
    config.segment.pooling = false;
    config.segment.output_stride = 8;
    expect_equal(network_options(config, 6));
  }
}

TEST(Lower, GivesSsdLite) {
  torch::NoGradGuard no_grad;
  for (const bool joint : {false, true}) {
    Config config;
    config.model.head = HeadKind::kSsdLite;
    config.model.width_multipliers = {0.25, 0.25, 0.25, 0.25};
    config.model.depths = {1, 1, 2, 1};
    config.detect.joint = joint;
    if (joint) config.detect.strides = {8, 16, 32, 64};
    const MobileOne network = random_folded(network_options(config, 6));
    const graph::Graph graph = lower(network);
    const auto x = torch::randn({2, 3, 96, 64});
    const auto actual = GraphRunner(graph)(x);
    const auto expected = MobileOne(network)->forward(x);
    EXPECT_EQ(graph.outputs[0].name, "boxes");
    EXPECT_TRUE(torch::allclose(expected, torch::cat(actual, 2), 1e-4, 1e-5));
    const auto shapes = graph::infer_shapes(graph, 2, 96, 64);
    EXPECT_EQ(torch::IntArrayRef(shapes[graph.outputs[1].value.id].shape), actual[1].sizes());
  }
}

TEST(Lower, SharesTheNetworksMemory) {
  const MobileOne network = random_folded(network_options(Variant::kS0));
  const graph::Graph graph = lower(network);
  EXPECT_EQ(graph.parameters.front().array.values.get(),
            network->parameters().front().const_data_ptr<float>());
  EXPECT_NE(lower(network->options).parameters.front().array.shape, graph::Shape{});
}

TEST(Lower, HasTheStagesWhereThereIsNoClassifier) {
  torch::NoGradGuard no_grad;
  auto options = network_options(Variant::kS0);
  options.num_classes = 0;
  const MobileOne network = random_folded(options);
  const graph::Graph graph = lower(network);
  const auto x = torch::randn({1, 3, 64, 64});
  const auto expected = MobileOne(network)->features(x), actual = GraphRunner(graph)(x);
  ASSERT_EQ(expected.size(), actual.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_TRUE(torch::allclose(expected[i], actual[i], 1e-5, 1e-5));
    EXPECT_EQ(graph.outputs[i].name, fmt::format("stage{}", i + 1));
  }
}

TEST(Lower, RefusesWhatIsNotFolded) {
  try {
    lower(MobileOne(network_options(Variant::kS0)));
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("folded network"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace mobileone
