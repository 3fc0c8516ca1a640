#include "mobileone/quant/quantize.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <cstdint>

#include "mobileone/model/graph_arrays.h"
#include "mobileone/model/graph_runner.h"
#include "mobileone/model/lower.h"
#include "mobileone/quant/equalize.h"
#include "support/error_of.h"

namespace mobileone {
namespace {

/// A small network with random weights, with and without squeeze-and-excitation.
graph::Graph small_network(HeadKind head) {
  torch::NoGradGuard no_grad;
  torch::manual_seed(5);
  Config config;
  config.model.head = head;
  config.model.num_classes = 5;
  config.model.width_multipliers = {0.25, 0.25, 0.25, 0.25};
  config.model.depths = {1, 2, 2, 1};
  config.model.se_blocks = {0, 1, 0, 1};
  config.segment.separable = head == HeadKind::kDeepLabV3;
  config.detect.strides = {16, 32, 64};
  NetworkOptions options = network_options(config);
  options.folded = true;
  MobileOne network(options);
  for (auto& parameter : network->parameters()) {
    if (parameter.dim() == 1) parameter.uniform_(-0.2, 0.5);
  }
  // Channels of very different ranges, as batch norm leaves them.
  for (auto& item : network->named_parameters()) {
    if (item.key().ends_with("reparam_conv.weight")) {
      item.value() *= (0.5 * torch::randn({item.value().size(0), 1, 1, 1})).exp() * 1.5;
    }
  }
  network->eval();
  return lower(network);
}

std::vector<torch::Tensor> images(int64_t batches = 2) {
  torch::manual_seed(6);
  std::vector<torch::Tensor> all;
  for (int64_t i = 0; i < batches; ++i) all.push_back(torch::randn({8, 3, 64, 64}));
  return all;
}

torch::Tensor output_of(const graph::Graph& graph, const torch::Tensor& x) {
  return GraphRunner(graph)(x).back();
}

double signal_to_noise(const torch::Tensor& signal, const torch::Tensor& other) {
  return 10 *
         std::log10((signal.square().mean() / (signal - other).square().mean()).item<double>());
}

class Quantize : public testing::TestWithParam<HeadKind> {
 protected:
  const torch::NoGradGuard no_grad;
  const graph::Graph exact = small_network(GetParam());
};

TEST_P(Quantize, EqualizedNetworksComputeTheSame) {
  const graph::Graph equal = equalize(exact, images());
  const auto x = torch::randn({2, 3, 64, 64});
  EXPECT_GT(signal_to_noise(output_of(exact, x), output_of(equal, x)), 90);
  int64_t changed = 0;
  for (size_t i = 0; i < exact.parameters.size(); ++i) {
    const auto before = tensor_of(exact.parameters[i].array);
    changed += !before.equal(tensor_of(equal.parameters[i].array));
  }
  EXPECT_GT(changed, 20);
}

TEST_P(Quantize, LosesLittle) {
  const Quantized quantized = quantize(exact, images(), {});
  const auto x = torch::randn({4, 3, 64, 64});
  const auto expected = output_of(exact, x);
  const double noise = signal_to_noise(expected, output_of(quantized.graph, x));
  EXPECT_GT(noise, 12);
  const Quantized plain = quantize(exact, images(), {.equalize = false, .correct_biases = false});
  EXPECT_GT(noise, signal_to_noise(expected, output_of(plain.graph, x)));
  const Quantized coarse = quantize(exact, images(), {.per_tensor = true});
  EXPECT_GT(signal_to_noise(expected, output_of(coarse.graph, x)), 8);
}

TEST_P(Quantize, StoresIntegersThatNoProcessorSaturatesOn) {
  for (const bool per_tensor : {false, true}) {
    const graph::Graph graph = quantize(exact, images(1), {.per_tensor = per_tensor}).graph;
    int64_t layers = 0;
    for (const auto& node : graph.nodes) {
      const auto parameters = graph::weight_and_bias(node.operation);
      if (!parameters) continue;
      ++layers;
      const auto& [weight, bias] = *parameters;
      const auto& grid = graph.grids.at(node.inputs[0].id);
      EXPECT_TRUE(grid.zero >= 0 && grid.zero <= 255 && grid.scale > 0);
      const auto& scales = graph.scales.at(weight.id);
      ASSERT_EQ(std::ssize(scales), graph[weight].shape[0]);
      if (per_tensor) {
        EXPECT_EQ(scales.front(), scales.back());
      }
      const auto levels = weight_levels(graph, weight).flatten(1);
      const bool is_depthwise = graph[weight].shape[1] == 1;
      EXPECT_LE(levels.abs().max().item<double>(), is_depthwise ? 127 : 64) << node.name;
      const auto stored = tensor_of(graph[weight]).flatten(1).to(torch::kFloat64);
      const auto expected = levels * torch::tensor(scales).to(torch::kFloat64).view({-1, 1});
      EXPECT_TRUE(torch::allclose(expected, stored, 1e-6)) << node.name;
      EXPECT_LT(bias_levels(graph, bias, weight, grid).abs().max().item<double>(), 2147483648.0);
    }
    EXPECT_GT(layers, 12);
  }
}

TEST_P(Quantize, KeepsLayersInFloatingPoint) {
  std::string first;
  for (const auto& node : exact.nodes) {
    if (first.empty() && graph::weight_and_bias(node.operation)) first = node.name;
  }
  const graph::Graph graph = quantize(exact, images(1), {.keep_float = {first}}).graph;
  EXPECT_FALSE(graph.grids.contains(graph.input.value.id));
  EXPECT_EQ(error_of([&] { quantize(exact, images(1), {.keep_float = {"none"}}); }),
            "none: is no layer of the network");
}

INSTANTIATE_TEST_SUITE_P(Heads, Quantize,
                         testing::Values(HeadKind::kClassifier, HeadKind::kDeepLabV3,
                                         HeadKind::kSsdLite));

/// Integer arithmetic as docs/int8.md defines it, number by number.
TEST(IntegerArithmetic, IsThatOfTheDocument) {
  torch::manual_seed(7);
  constexpr int64_t kIn = 600, kOut = 3, kSide = 5;  // more products than float32 sums exactly
  const graph::Grid input{0.037f, 3}, output{2.9f, 100};
  const std::vector<float> scales = {0.01f, 0.002f, 0.3f};
  const auto integers = torch::randint(-127, 128, {kOut, kIn, 3, 3}, torch::kFloat32);
  graph::Graph graph;
  const auto weight = graph.add_parameter(
      "conv.weight", array_of(integers * torch::tensor(scales).view({-1, 1, 1, 1})));
  const auto bias = graph.add_parameter("conv.bias", array_of(torch::tensor({4.5, -7.25, 30.1})));
  const auto value = graph.add({.name = "conv",
                                .operation = graph::Conv{weight, bias, 2, 1},
                                .inputs = {graph.input.value}});
  graph.outputs = {{"y", value}};
  graph.grids = {{graph.input.value.id, input}, {value.id, output}};
  graph.scales = {{weight.id, scales}};
  const auto x = torch::rand({1, kIn, kSide, kSide}) * 12 - 1;
  const auto actual = GraphRunner(graph)(x).front();

  const auto level = [&](float number) {
    const float q = std::nearbyint(number / input.scale) + static_cast<float>(input.zero);
    return static_cast<int64_t>(std::min(255.f, std::max(0.f, q))) - input.zero;
  };
  const auto in = x.accessor<float, 4>(), w = integers.accessor<float, 4>();
  for (int64_t c = 0; c < kOut; ++c) {
    const float product = scales[c] * input.scale, factor = product / output.scale;
    const double b[] = {4.5, -7.25, 30.1};
    for (int64_t i = 0; i < 3; ++i) {
      for (int64_t j = 0; j < 3; ++j) {
        auto sum = static_cast<int64_t>(
            std::nearbyint(static_cast<float>(b[c]) / static_cast<double>(product)));
        for (int64_t k = 0; k < kIn; ++k) {
          for (int64_t u = 0; u < 3; ++u) {
            for (int64_t v = 0; v < 3; ++v) {
              const int64_t row = 2 * i + u - 1, column = 2 * j + v - 1;
              if (row < 0 || row >= kSide || column < 0 || column >= kSide) continue;
              sum += level(in[0][k][row][column]) * static_cast<int64_t>(w[c][k][u][v]);
            }
          }
        }
        const float q = std::nearbyint(static_cast<float>(sum) * factor) + 100;
        const float expected = (std::min(255.f, std::max(0.f, q)) - 100) * output.scale;
        EXPECT_EQ(actual[0][c][i][j].item<float>(), expected) << c << " " << i << " " << j;
      }
    }
  }
}

}  // namespace
}  // namespace mobileone
