#include "mobileone/graph/graph.h"

#include <functional>
#include <numeric>
#include <utility>

namespace mobileone::graph {

int64_t element_count(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

Value Graph::add(Node node) {
  node.output = new_value();
  nodes.push_back(std::move(node));
  return nodes.back().output;
}

Parameter Graph::add_parameter(std::string name, Array array) {
  parameters.push_back({std::move(name), std::move(array)});
  return {static_cast<int32_t>(parameters.size()) - 1};
}

const Grid* Graph::grid_of(Value value) const {
  const auto found = grids.find(value.id);
  return found == grids.end() ? nullptr : &found->second;
}

std::optional<WeightAndBias> weight_and_bias(const Operation& operation) {
  if (const auto* conv = std::get_if<Conv>(&operation)) return {{conv->weight, conv->bias}};
  if (const auto* linear = std::get_if<Linear>(&operation)) return {{linear->weight, linear->bias}};
  return std::nullopt;
}

std::string parent(const std::string& name) {
  const size_t dot = name.rfind('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

std::string sibling(const std::string& name, const std::string& other) {
  const std::string beside = parent(name);
  return beside.empty() ? other : beside + "." + other;
}

}  // namespace mobileone::graph
