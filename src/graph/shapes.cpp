#include "mobileone/graph/shapes.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "mobileone/util/error.h"

namespace mobileone::graph {
namespace {

/// What a node gives, of what it takes. One function for each operation.
class NodeShapes {
 public:
  NodeShapes(const Graph& graph, const Node& node, std::vector<Type> inputs)
      : graph_(graph), node_(node), inputs_(std::move(inputs)) {}

  Type operator()(const Conv& conv) const {
    const Shape& x = map(0);
    const Shape& weight = parameter(conv.weight);
    require(inputs_.size() == 1 && weight.size() == 4 && weight[2] == weight[3]);
    require(weight[0] % conv.groups == 0 && x[1] == weight[1] * conv.groups);
    require(parameter(conv.bias) == Shape{weight[0]});
    const auto size = [&](int64_t input) {
      const int64_t reach = input + 2 * conv.padding - conv.dilation * (weight[2] - 1) - 1;
      require(reach >= 0);
      return reach / conv.stride + 1;
    };
    return floats({x[0], weight[0], size(x[2]), size(x[3])});
  }

  Type operator()(const Linear& linear) const {
    const Shape& x = shape(0);
    const Shape& weight = parameter(linear.weight);
    require(inputs_.size() == 1 && x.size() == 2 && weight.size() == 2 && x[1] == weight[1]);
    require(parameter(linear.bias) == Shape{weight[0]});
    return floats({x[0], weight[0]});
  }

  Type operator()(const GlobalMean& mean) const {
    const Shape& x = map(0);
    require(inputs_.size() == 1);
    return floats(mean.keep_sizes ? Shape{x[0], x[1], 1, 1} : Shape{x[0], x[1]});
  }

  Type operator()(Sigmoid) const {
    require(inputs_.size() == 1);
    return floats(shape(0));
  }

  Type operator()(Multiply) const {
    require(inputs_.size() == 2);
    if (shape(1) != shape(0)) require(shape(1) == Shape{map(0)[0], map(0)[1], 1, 1});
    return floats(shape(0));
  }

  Type operator()(Add) const {
    require(inputs_.size() == 2 && shape(0) == shape(1));
    return floats(shape(0));
  }

  Type operator()(Concat) const {
    require(!inputs_.empty() && shape(0).size() >= 3);
    Shape joined = shape(0);
    for (size_t i = 1; i < inputs_.size(); ++i) {
      Shape x = shape(i);
      const int64_t own = std::exchange(x[1], joined[1]);
      require(x == joined);
      joined[1] += own;
    }
    return floats(joined);
  }

  Type operator()(const PerAnchor& per_anchor) const {
    const Shape& x = map(0);
    require(inputs_.size() == 1 && x[1] % per_anchor.anchors == 0);
    return floats({x[0], x[2] * x[3] * per_anchor.anchors, x[1] / per_anchor.anchors});
  }

  Type operator()(Resize) const {
    require(inputs_.size() == 2);
    return floats({map(0)[0], map(0)[1], map(1)[2], map(1)[3]});
  }

  Type operator()(Softmax softmax) const {
    require(inputs_.size() == 1 && shape(0).size() > static_cast<size_t>(softmax.axis));
    return floats(shape(0));
  }

  Type operator()(const DecodeBoxes& decode) const {
    const Shape& x = shape(0);
    require(inputs_.size() == 1 && x.size() == 3 && decode.anchors.shape == Shape{x[1], 4});
    require(x[2] == 4);
    return floats(x);
  }

  /// As many rows as there may be.
  Type operator()(const Suppress& suppress) const {
    require(inputs_.size() == 2 && shape(0).size() == 3 && shape(1).size() == 3);
    require(shape(0)[0] == 1 && shape(1)[0] == 1 && shape(0)[1] == shape(1)[1]);
    return floats({suppress.detections, 6});
  }

  Type operator()(ArgMax) const {
    Shape x = shape(0);
    require(inputs_.size() == 1 && x.size() >= 2 && x[1] <= 256);
    x.erase(x.begin() + 1);
    return {Element::kUint8, x};
  }

  Type operator()(const Normalize& normalize) const {
    require(inputs_.size() == 1 && inputs_[0].element == Element::kUint8);
    const Shape& x = inputs_[0].shape;
    const auto channels = static_cast<size_t>(x[3]);
    require(normalize.mean.size() == channels && normalize.std.size() == channels);
    return floats({x[0], x[3], x[1], x[2]});
  }

 private:
  static Type floats(Shape shape) { return {Element::kFloat, std::move(shape)}; }

  /// An input's shape; it is to be of floating point.
  const Shape& shape(size_t i) const {
    require(i < inputs_.size() && inputs_[i].element == Element::kFloat);
    return inputs_[i].shape;
  }

  /// The same of one that is to be a feature map.
  const Shape& map(size_t i) const {
    require(shape(i).size() == 4);
    return shape(i);
  }

  const Shape& parameter(Parameter parameter) const {
    if (parameter.id < 0 || parameter.id >= std::ssize(graph_.parameters)) {
      throw Error("{}: takes a parameter that the graph does not have", node_.name);
    }
    parameters_.push_back(parameter.id);
    return graph_[parameter].shape;
  }

  void require(bool fits) const {
    if (fits) return;
    std::string message = node_.name + ": what it takes does not fit:";
    for (const auto& input : inputs_) {
      message += fmt::format(" [{}]", fmt::join(input.shape, ","));
    }
    for (const int32_t id : parameters_) {
      message += fmt::format(", {} [{}]", graph_.parameters[id].name,
                             fmt::join(graph_.parameters[id].array.shape, ","));
    }
    throw Error("{}", message);
  }

  const Graph& graph_;
  const Node& node_;
  const std::vector<Type> inputs_;
  mutable std::vector<int32_t> parameters_;  // looked at so far, for the message
};

/// The parameters that an operation has.
std::vector<Parameter> parameters_of(const Operation& operation) {
  if (const auto* conv = std::get_if<Conv>(&operation)) return {conv->weight, conv->bias};
  if (const auto* linear = std::get_if<Linear>(&operation)) return {linear->weight, linear->bias};
  return {};
}

}  // namespace

std::vector<Type> infer_shapes(const Graph& graph, int64_t batch, int64_t height, int64_t width) {
  std::vector<Type> types(graph.values);
  const auto at = [&](Value value, const std::string& taker) -> Type& {
    if (value.id < 0 || value.id >= graph.values || types[value.id].shape.empty()) {
      throw Error("{}: takes a value that is not defined before it", taker);
    }
    return types[value.id];
  };
  const int64_t channels = graph.input.channels;
  if (graph.input.batch > 0) batch = graph.input.batch;
  if (graph.input.height > 0) height = graph.input.height, width = graph.input.width;
  types.at(graph.input.value.id) = {graph.input.element,
                                    graph.input.element == Element::kFloat
                                        ? Shape{batch, channels, height, width}
                                        : Shape{batch, height, width, channels}};
  for (const auto& node : graph.nodes) {
    std::vector<Type> inputs;
    for (const Value input : node.inputs) inputs.push_back(at(input, node.name));
    Type& output = types.at(node.output.id);
    if (!output.shape.empty()) throw Error("{}: gives a value that another one gives", node.name);
    output = std::visit(NodeShapes(graph, node, std::move(inputs)), node.operation);
  }
  for (const auto& output : graph.outputs) at(output.value, output.name);
  return types;
}

void check(const Graph& graph) {
  infer_shapes(graph, 2, 64, 96);
  if (graph.outputs.empty()) throw Error("the graph has no output");
  std::set<std::string> names;
  std::set<int32_t> used;
  for (const auto& node : graph.nodes) {
    if (!names.insert(node.name).second) throw Error("{}: is the name of two nodes", node.name);
    for (const auto parameter : parameters_of(node.operation)) used.insert(parameter.id);
  }
  names.clear();
  for (int32_t id = 0; id < std::ssize(graph.parameters); ++id) {
    const auto& [name, array] = graph.parameters[id];
    if (!names.insert(name).second) throw Error("{}: is the name of two parameters", name);
    if (!used.contains(id)) throw Error("{}: no node uses this parameter", name);
    if (!array.values) throw Error("{}: has no values", name);
  }
}

std::vector<bool> find_pooled(const Graph& graph) {
  std::vector<bool> pooled(graph.values);
  const auto is_pooled = [&](Value value) { return pooled[value.id]; };
  for (const auto& node : graph.nodes) {
    pooled[node.output.id] =
        std::holds_alternative<GlobalMean>(node.operation) ||
        (!std::holds_alternative<Resize>(node.operation) && !node.inputs.empty() &&
         std::all_of(node.inputs.begin(), node.inputs.end(), is_pooled));
  }
  return pooled;
}

}  // namespace mobileone::graph
