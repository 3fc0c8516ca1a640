#include "mobileone/graph/graph.h"

#include <gtest/gtest.h>

#include <string>

#include "mobileone/graph/counts.h"
#include "mobileone/graph/passes.h"
#include "mobileone/graph/shapes.h"
#include "mobileone/util/error.h"

namespace mobileone::graph {
namespace {

Array zeros(Shape shape) {
  const auto count = static_cast<size_t>(element_count(shape));
  return {std::move(shape),
          std::shared_ptr<const float>(new float[count](), [](const float* p) { delete[] p; })};
}

/// A convolution of `channels` to `out` channels.
Node conv(Graph& graph, const std::string& name, Value x, Shape weight, Conv geometry = {}) {
  geometry.bias = graph.add_parameter(name + ".bias", zeros({weight[0]}));
  geometry.weight = graph.add_parameter(name + ".weight", zeros(std::move(weight)));
  return {.name = name, .operation = geometry, .inputs = {x}, .relu = true};
}

/// Every operation on feature maps: two branches of one image, joined and resized to it.
Graph branches() {
  Graph graph;
  const Value image = graph.input.value;
  const Value x = graph.add(conv(graph, "stem", image, {8, 3, 3, 3}, {.stride = 2, .padding = 1}));
  const Value a =
      graph.add(conv(graph, "a", x, {8, 1, 3, 3}, {.padding = 4, .dilation = 4, .groups = 8}));
  const Value mean = graph.add({"pool", GlobalMean{.keep_sizes = true}, {x}});
  const Value gate = graph.add({"gate", Sigmoid{}, {mean}});
  const Value gated = graph.add({"gated", Multiply{}, {a, gate}});
  const Value sum = graph.add({"sum", Add{}, {gated, x}});
  const Value wide = graph.add({"wide", Resize{}, {mean, x}});
  const Value joined = graph.add({"joined", Concat{}, {sum, wide, x}});
  const Value y = graph.add(conv(graph, "classes", joined, {5, 24, 1, 1}));
  graph.outputs = {{"logits", graph.add({"resized", Resize{}, {y, image}})}};
  return graph;
}

std::string error_of(const Graph& graph) {
  try {
    check(graph);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

const Type& output(const Graph& graph, const std::vector<Type>& types) {
  return types[graph.outputs.front().value.id];
}

TEST(GraphShapes, FollowTheImagesSize) {
  const Graph graph = branches();
  check(graph);
  for (const auto& [height, width] : {std::pair{64, 96}, {33, 17}, {1, 1}}) {
    const auto types = infer_shapes(graph, 3, height, width);
    EXPECT_EQ(output(graph, types).shape, (Shape{3, 5, height, width}));
    EXPECT_EQ(types[graph.nodes.front().output.id].shape,
              (Shape{3, 8, (height + 1) / 2, (width + 1) / 2}));
  }
}

TEST(GraphShapes, TellWhatIsOfOnePixel) {
  const Graph graph = branches();
  const auto pooled = find_pooled(graph);
  for (const auto& node : graph.nodes) {
    EXPECT_EQ(pooled[node.output.id], node.name == "pool" || node.name == "gate") << node.name;
  }
}

TEST(GraphPasses, TakeLevelsAndGiveClasses) {
  const Graph plain = branches();
  const Graph graph =
      with_last(with_levels(plain, {{1, 2, 3}, {4, 5, 6}}), "argmax", ArgMax{}, "classes");
  check(graph);
  const auto types = infer_shapes(graph, 2, 40, 24);
  EXPECT_EQ(types[graph.input.value.id].shape, (Shape{2, 40, 24, 3}));
  EXPECT_EQ(types[graph.input.value.id].element, Element::kUint8);
  EXPECT_EQ(output(graph, types).shape, (Shape{2, 40, 24}));
  EXPECT_EQ(output(graph, types).element, Element::kUint8);
  EXPECT_EQ(graph.outputs.front().name, "classes");
  EXPECT_EQ(graph.parameters.size(), plain.parameters.size());
}

TEST(GraphCheck, NamesWhatIsWrong) {
  EXPECT_EQ(error_of(branches()), "");
  const auto broken = [](const auto& change) {
    Graph graph = branches();
    change(graph);
    return error_of(graph);
  };
  EXPECT_EQ(broken([](Graph& g) { std::swap(g.nodes[0], g.nodes[1]); }),
            "a: takes a value that is not defined before it");
  EXPECT_EQ(broken([](Graph& g) { g.nodes[3].inputs = {{-1}}; }),
            "gate: takes a value that is not defined before it");
  EXPECT_EQ(broken([](Graph& g) { g.nodes[3].inputs = {{1000}}; }),
            "gate: takes a value that is not defined before it");
  EXPECT_EQ(broken([](Graph& g) { g.nodes[3].output = g.nodes[2].output; }),
            "gate: gives a value that another one gives");
  EXPECT_EQ(broken([](Graph& g) { g.outputs.front().value = {}; }),
            "logits: takes a value that is not defined before it");
  EXPECT_EQ(broken([](Graph& g) { g.outputs.clear(); }), "the graph has no output");
  EXPECT_EQ(broken([](Graph& g) { g.nodes[3].name = "a"; }), "a: is the name of two nodes");
  EXPECT_EQ(broken([](Graph& g) { g.parameters[2].name = "stem.bias"; }),
            "stem.bias: is the name of two parameters");
  EXPECT_EQ(broken([](Graph& g) { g.add_parameter("spare", zeros({1})); }),
            "spare: no node uses this parameter");
  EXPECT_EQ(broken([](Graph& g) { g.parameters[0].array.values = nullptr; }),
            "stem.bias: has no values");
  EXPECT_EQ(broken([](Graph& g) { g.input.channels = 1; }),
            "stem: what it takes does not fit: [2,1,64,96], stem.weight [8,3,3,3]");
  EXPECT_EQ(broken([](Graph& g) { g.nodes[5].inputs[1] = g.input.value; }),
            "sum: what it takes does not fit: [2,8,32,48] [2,3,64,96]");
  EXPECT_EQ(broken([](Graph& g) { std::get<Conv>(g.nodes[0].operation).weight = {77}; }),
            "stem: takes a parameter that the graph does not have");
}

TEST(GraphCounts, AreOfEachConvolutionAndUnit) {
  Graph graph = branches();
  for (auto& node : graph.nodes) {
    if (node.name == "a" || node.name == "gate" || node.name == "gated") node.unit = "unit";
  }
  const auto rows = count(graph, 64, 32);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].name, "stem");
  EXPECT_EQ(rows[0].kind, "conv 3x3");
  EXPECT_EQ(rows[0].parameters, 8 * 27 + 8);
  EXPECT_EQ(rows[0].macs, 8 * 27 * 32 * 16);
  EXPECT_EQ(rows[1].name, "unit");
  EXPECT_EQ(rows[1].kind, "depthwise 3x3 + SE");
  EXPECT_EQ(rows[1].macs, 8 * 9 * 32 * 16);
  EXPECT_EQ(rows[2].kind, "pointwise 1x1");
  EXPECT_EQ(rows[2].activations, 5 * 32 * 16);
  EXPECT_EQ(count_total(graph, 64, 32).parameters,
            rows[0].parameters + rows[1].parameters + rows[2].parameters);
}

}  // namespace
}  // namespace mobileone::graph
