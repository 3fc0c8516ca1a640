#include "mobileone/graph/passes.h"

#include <utility>

#include "mobileone/util/error.h"

namespace mobileone::graph {

Graph with_levels(Graph graph, Normalize normalize) {
  Node node{.name = "preprocessing", .operation = std::move(normalize), .inputs = {}};
  node.inputs = {graph.new_value()};
  node.output = std::exchange(graph.input.value, node.inputs.front());
  graph.input.element = Element::kUint8;
  graph.nodes.insert(graph.nodes.begin(), std::move(node));
  return graph;
}

Graph with_last(Graph graph, const std::string& node, Operation operation,
                const std::string& name) {
  if (graph.outputs.size() != 1) {
    throw Error("the network has {} outputs, expected one to compute {} from", graph.outputs.size(),
                name);
  }
  graph.outputs.front() = {name, graph.add({.name = node,
                                            .operation = std::move(operation),
                                            .inputs = {graph.outputs.front().value}})};
  return graph;
}

}  // namespace mobileone::graph
