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

Graph with_boxes(Graph graph, DecodeBoxes decode, int64_t height, int64_t width) {
  graph.input.height = height;
  graph.input.width = width;
  const Value offsets = graph.outputs.at(0).value, logits = graph.outputs.at(1).value;
  const Value scores = graph.add({"softmax", Softmax{.axis = 2}, {logits}});
  graph.outputs = {{"scores", scores},
                   {"boxes", graph.add({"decode", std::move(decode), {offsets}})}};
  return graph;
}

Graph with_detections(Graph graph, Suppress suppress) {
  graph.input.batch = 1;
  const Value scores = graph.outputs.at(0).value, boxes = graph.outputs.at(1).value;
  graph.outputs = {{"detections", graph.add({"nms", suppress, {boxes, scores}})}};
  return graph;
}

}  // namespace mobileone::graph
