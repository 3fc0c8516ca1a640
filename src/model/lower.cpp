#include "mobileone/model/lower.h"

#include <fmt/ranges.h>

#include <string_view>
#include <utility>
#include <variant>

#include "mobileone/model/graph_arrays.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

/// A convolution whose parameters are there already: units have them in another order than their
/// nodes.
struct ConvParameters {
  graph::Parameter weight, bias;
};

ConvParameters add_conv_parameters(graph::Graph& graph, const std::string& name,
                                   const UnitOptions& o) {
  return {graph.add_parameter(name + ".weight", {o.weight_shape()}),
          graph.add_parameter(name + ".bias", {{o.out_channels}})};
}

graph::Node conv_node(const std::string& name, const UnitOptions& o, const ConvParameters& p,
                      graph::Value x) {
  return {.name = name,
          .operation = graph::Conv{.weight = p.weight,
                                   .bias = p.bias,
                                   .stride = o.stride,
                                   .padding = o.padding(),
                                   .dilation = o.dilation,
                                   .groups = o.groups},
          .inputs = {x}};
}

}  // namespace

graph::Value lower_conv(graph::Graph& graph, const std::string& name, const UnitOptions& shape,
                        graph::Value x) {
  return graph.add(conv_node(name, shape, add_conv_parameters(graph, name, shape), x));
}

graph::Value lower_unit(graph::Graph& graph, const UnitOptions& unit, graph::Value x) {
  const std::string se = unit.name + ".se", conv = unit.name + ".reparam_conv";
  UnitOptions reduce, expand;
  ConvParameters reduce_parameters, expand_parameters;
  reduce.in_channels = expand.out_channels = unit.out_channels;
  reduce.out_channels = expand.in_channels = squeeze_excite_hidden(unit.out_channels);
  if (unit.se) {
    reduce_parameters = add_conv_parameters(graph, se + ".reduce", reduce);
    expand_parameters = add_conv_parameters(graph, se + ".expand", expand);
  }
  const auto add = [&](graph::Node node, bool relu = false) {
    node.unit = unit.name;
    node.relu = relu;
    return graph.add(std::move(node));
  };
  x = add(conv_node(conv, unit, add_conv_parameters(graph, conv, unit), x), /*relu=*/!unit.se);
  if (!unit.se) return x;
  graph::Value gate = add({se + ".pool", graph::GlobalMean{.keep_sizes = true}, {x}});
  gate = add(conv_node(se + ".reduce", reduce, reduce_parameters, gate), /*relu=*/true);
  gate = add(conv_node(se + ".expand", expand, expand_parameters, gate));
  gate = add({se + ".sigmoid", graph::Sigmoid{}, {gate}});
  return add({se, graph::Multiply{}, {x, gate}}, /*relu=*/true);
}

std::vector<graph::Value> lower_stages(graph::Graph& graph, const NetworkOptions& options,
                                       graph::Value images) {
  std::vector<graph::Value> outputs;
  graph::Value x = images;
  for (const auto& unit : unit_table(options)) {
    x = lower_unit(graph, unit, x);
    outputs.push_back(x);
  }
  std::vector<graph::Value> stages;
  int64_t end = 0;
  for (const auto& stage : options.stages) stages.push_back(outputs[end += 2 * stage.blocks]);
  return stages;
}

graph::Value lower_classifier(graph::Graph& graph, int64_t channels, int64_t classes,
                              graph::Value features) {
  const auto weight = graph.add_parameter("linear.weight", {{classes, channels}}),
             bias = graph.add_parameter("linear.bias", {{classes}});
  const graph::Value pooled = graph.add({"pool", graph::GlobalMean{}, {features}});
  return graph.add({"linear", graph::Linear{weight, bias}, {pooled}});
}

std::vector<graph::Output> lower_deeplab(graph::Graph& graph, const NetworkOptions& options,
                                         const std::vector<graph::Value>& stages) {
  std::vector<graph::Output> outputs;
  std::vector<graph::Value> maps;  // of ASPP
  const graph::Value features = stages.back();
  graph::Value x;
  for (const auto& [unit, kind, stage, pooled, halvings] : head_table(options)) {
    const std::string own = unit.name.substr(std::string_view("head.").size());
    if (pooled) {
      const auto mean = graph.add({"head.mean", graph::GlobalMean{.keep_sizes = true}, {features}});
      const auto pooling = lower_unit(graph, unit, mean);
      maps.push_back(graph.add({"head.spread", graph::Resize{}, {pooling, features}}));
    } else if (own.ends_with("_pointwise")) {
      maps.back() = lower_unit(graph, unit, maps.back());
    } else if (own.starts_with("aspp")) {
      maps.push_back(lower_unit(graph, unit, features));
    } else if (own == "project") {
      x = lower_unit(graph, unit, graph.add({"head.join", graph::Concat{}, maps}));
    } else if (own == "classify") {
      x = lower_conv(graph, unit.name, unit, x);
      outputs.push_back(
          {"logits", graph.add({"head.resize", graph::Resize{}, {x, graph.input.value}})});
    } else if (kind == HeadLayer::Kind::kUnit) {
      x = lower_unit(graph, unit, stages[stage - 1]);
    } else {
      outputs.push_back({"auxiliary", lower_conv(graph, unit.name, unit, x)});
    }
  }
  return outputs;
}

std::vector<graph::Output> lower_ssdlite(graph::Graph& graph, const NetworkOptions& options,
                                         const std::vector<graph::Value>& stages) {
  const auto& head = std::get<SsdLiteOptions>(options.head);
  std::vector<graph::Value> maps;
  for (const int64_t stage : ssd_stages(options)) maps.push_back(stages[stage - 1]);
  const size_t extra = maps.size();
  maps.resize(head.strides.size(), stages.back());
  graph::Value x = stages.back();
  size_t next = extra;  // the level whose extra layer comes
  std::vector<graph::Value> boxes, logits;
  for (const auto& layer : head_table(options)) {
    const UnitOptions& unit = layer.unit;
    const std::string own = unit.name.substr(std::string_view("head.").size());
    const size_t mark = own.find('_');
    const std::string_view part = std::string_view(own).substr(mark);
    if (own.starts_with("extra")) {
      x = lower_unit(graph, unit, x);
      if (part == "_expand") maps[next++] = x;
      continue;
    }
    const auto level = std::stoull(own.substr(std::string_view("level").size())) - 1;
    if (part == "_depthwise") {
      maps[level] = lower_unit(graph, unit, maps[level]);
    } else if (layer.kind == HeadLayer::Kind::kUnit) {
      x = lower_unit(graph, unit, maps[level]);
    } else {
      const graph::Value y = lower_conv(graph, unit.name, unit, head.joint ? maps[level] : x);
      auto& all = part == "_boxes" ? boxes : logits;
      all.push_back(
          graph.add({unit.name + "_of_anchors", graph::PerAnchor{head.anchors(level)}, {y}}));
    }
  }
  return {{"boxes", graph.add({"head.boxes", graph::Concat{}, boxes})},
          {"logits", graph.add({"head.logits", graph::Concat{}, logits})}};
}

graph::Graph lower(const NetworkOptions& options) {
  graph::Graph graph;
  graph.input.channels = options.in_channels;
  const auto stages = lower_stages(graph, options, graph.input.value);
  if (options.num_classes == 0) {
    for (size_t i = 0; i < stages.size(); ++i) {
      graph.outputs.push_back({fmt::format("stage{}", i + 1), stages[i]});
    }
  } else if (std::holds_alternative<DeepLabOptions>(options.head)) {
    graph.outputs = lower_deeplab(graph, options, stages);
  } else if (std::holds_alternative<SsdLiteOptions>(options.head)) {
    graph.outputs = lower_ssdlite(graph, options, stages);
  } else {
    graph.outputs = {{"logits", lower_classifier(graph, options.stages.back().channels,
                                                 options.num_classes, stages.back())}};
  }
  return graph;
}

graph::Graph lower(const MobileOne& folded) {
  graph::Graph graph = lower(folded->options);
  take_values(graph, state_dict(*folded));
  return graph;
}

void take_values(graph::Graph& graph, const StateDict& state) {
  for (auto& [name, array] : graph.parameters) {
    const auto* tensor = state.find(name);
    if (!tensor) throw Error("{}: is missing; a graph is made of a folded network", name);
    if (tensor->sizes() != torch::IntArrayRef(array.shape)) {
      throw Error("{}: is [{}], expected [{}]", name, fmt::join(tensor->sizes(), ","),
                  fmt::join(array.shape, ","));
    }
    array = array_of(*tensor);
  }
}

}  // namespace mobileone
