#include "mobileone/graph/counts.h"

#include <fmt/format.h>

#include "mobileone/graph/shapes.h"

namespace mobileone::graph {
namespace {

const char* form_of(const Conv& conv, int64_t kernel) {
  return conv.groups > 1 ? "depthwise" : kernel == 1 ? "pointwise" : "conv";
}

}  // namespace

std::vector<Counts> count(const Graph& graph, int64_t height, int64_t width) {
  const auto types = infer_shapes(graph, 1, height, width);
  std::vector<Counts> rows;
  const auto add_product = [&](const Node& node, Parameter weight, Parameter bias,
                               const std::string& kind) {
    const std::string& name = node.unit.empty() ? node.name : node.unit;
    if (rows.empty() || rows.back().name != name) rows.push_back({.name = name, .kind = kind});
    const Shape& shape = types[node.output.id].shape;
    const int64_t weights = element_count(graph[weight].shape), outputs = element_count(shape);
    rows.back().parameters += weights + element_count(graph[bias].shape);
    rows.back().macs += weights * (outputs / shape[1]);
    rows.back().activations += outputs;
  };
  for (const auto& node : graph.nodes) {
    if (const auto* conv = std::get_if<Conv>(&node.operation)) {
      const int64_t kernel = graph[conv->weight].shape[2];
      add_product(node, conv->weight, conv->bias,
                  fmt::format("{} {}x{}", form_of(*conv, kernel), kernel, kernel));
    } else if (const auto* linear = std::get_if<Linear>(&node.operation)) {
      add_product(node, linear->weight, linear->bias, "linear");
    }
    if (rows.empty() || rows.back().name != (node.unit.empty() ? node.name : node.unit)) continue;
    if (std::holds_alternative<Multiply>(node.operation)) rows.back().kind += " + SE";
    const Shape& shape = types[node.output.id].shape;
    rows.back().channels = shape[1];
    rows.back().height = shape.size() == 4 ? shape[2] : 1;
    rows.back().width = shape.size() == 4 ? shape[3] : 1;
  }
  return rows;
}

Counts count_total(const Graph& graph, int64_t height, int64_t width) {
  Counts total{.name = "total", .kind = ""};
  for (const auto& row : count(graph, height, width)) {
    total.parameters += row.parameters;
    total.macs += row.macs;
    total.activations += row.activations;
  }
  return total;
}

}  // namespace mobileone::graph
