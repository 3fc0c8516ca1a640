#include "mobileone/export/onnx.h"

#include <torch/types.h>

#include <nlohmann/json.hpp>
#include <protozero/pbf_reader.hpp>
#include <set>

#include "attributes.h"
#include "mobileone/checkpoint/weights_file.h"
#include "mobileone/config/writer.h"
#include "mobileone/graph/shapes.h"
#include "mobileone/model/graph_arrays.h"
#include "mobileone/report/text.h"
#include "mobileone/util/file.h"
#include "mobileone/util/version.h"
#include "onnx_graph.h"
#include "tensors.h"

namespace mobileone {
namespace {

/// Writes a graph's nodes as those of ONNX. The function for an operation adds what it takes and
/// ends with `last`.
class OnnxNodes {
 public:
  OnnxNodes(const graph::Graph& graph, torch::ScalarType type, OnnxGraph& onnx)
      : graph_(graph), type_(type), onnx_(onnx), names_(graph.values) {
    names_[graph.input.value.id] = graph.input.name;
    outputs_.resize(graph.values);
    for (const auto& output : graph.outputs) outputs_[output.value.id] = output.name;
  }

  void write() {
    write_parameters();
    write_grid(graph_.input.value);
    for (const auto& node : graph_.nodes) {
      node_ = &node;
      names_[node.output.id] = std::visit(*this, node.operation);
      write_grid(node.output);
    }
  }

  std::string operator()(const graph::Conv& o) {
    const int64_t kernel = graph_[o.weight].shape[2], pad = o.padding;
    return last("Conv", {in(0), name_of(o.weight), name_of(o.bias)},
                {{"kernel_shape", std::vector{kernel, kernel}},
                 {"strides", std::vector{o.stride, o.stride}},
                 {"pads", std::vector{pad, pad, pad, pad}},
                 {"dilations", std::vector{o.dilation, o.dilation}},
                 {"group", o.groups}});
  }
  std::string operator()(const graph::Linear& o) {
    return last("Gemm", {in(0), name_of(o.weight), name_of(o.bias)}, {{"transB", 1}});
  }
  std::string operator()(const graph::GlobalMean& o) {
    if (o.keep_sizes) return last("GlobalAveragePool", {in(0)});
    std::string mean = onnx_.add_node("GlobalAveragePool", node_->name, {in(0)});
    // Without its own, runtimes would compute the mean in floating point.
    if (const auto* grid = graph_.grid_of(node_->output)) mean = on_grid(mean, *grid);
    return last("Flatten", {mean}, {{"axis", 1}}, graph::sibling(node_->name, "flatten"));
  }
  std::string operator()(graph::Sigmoid) { return last("Sigmoid", {in(0)}); }
  std::string operator()(graph::Multiply) { return last("Mul", {in(0), in(1)}); }
  std::string operator()(graph::Add) { return last("Add", {in(0), in(1)}); }
  std::string operator()(graph::Concat) {
    std::vector<std::string> inputs;
    for (size_t i = 0; i < node_->inputs.size(); ++i) inputs.push_back(in(i));
    return last("Concat", inputs, {{"axis", 1}});
  }
  std::string operator()(graph::PerAnchor) {
    const std::string& name = node_->name;
    const int64_t outputs = types_[node_->output.id].shape[2];
    const std::string cells = onnx_.add_node("Transpose", name + ".cells", {in(0)},
                                             {{"perm", std::vector<int64_t>{0, 2, 3, 1}}});
    const std::string shape =
        onnx_.add_initializer(name + ".shape", at::tensor(std::vector<int64_t>{0, -1, outputs}));
    return last("Reshape", {cells, shape});
  }
  std::string operator()(graph::Resize) {
    const std::string channels =
        onnx_.add_node("Shape", node_->name + ".channels", {in(0)}, {{"start", 0}, {"end", 2}});
    const std::string size =
        onnx_.add_node("Shape", node_->name + ".size", {in(1)}, {{"start", 2}, {"end", 4}});
    const std::string sizes =
        onnx_.add_node("Concat", node_->name + ".sizes", {channels, size}, {{"axis", 0}});
    return last("Resize", {in(0), "", "", sizes},
                {{"mode", "linear"}, {"coordinate_transformation_mode", "half_pixel"}});
  }
  std::string operator()(graph::Softmax o) {
    return last("Softmax", {in_float32()}, {{"axis", o.axis}});
  }
  std::string operator()(const graph::DecodeBoxes& o) {
    const std::string& name = node_->name;
    const at::Tensor anchors = tensor_of(o.anchors, at::kFloat);
    const auto constant = [&](const char* own, const at::Tensor& value) {
      return onnx_.add_initializer(name + own, value);
    };
    const auto node = [&](const char* own, const char* type, std::vector<std::string> inputs) {
      return onnx_.add_node(type, name + own, inputs);
    };
    const std::string x = in_float32(), zero = constant(".zero", at::zeros({1})),
                      two = whole(".two", {2}), four = whole(".four", {4}),
                      last_axis = whole(".axis", {2});
    const std::string sides = constant(".sides", anchors.slice(1, 2, 4).contiguous());
    std::string middle = node(".to_middle", "Slice", {x, whole(".begin", {0}), two, last_axis});
    middle =
        node(".in_centres", "Mul", {middle, constant(".of_centres", at::tensor({o.variances[0]}))});
    middle = node(".in_pixels", "Mul", {middle, sides});
    middle =
        node(".middle", "Add", {middle, constant(".centres", anchors.slice(1, 0, 2).contiguous())});
    std::string half = node(".to_side", "Slice", {x, two, four, last_axis});
    half = node(".in_sides", "Mul", {half, constant(".of_sides", at::tensor({o.variances[1]}))});
    half = node(".limited", "Min", {half, constant(".most", at::tensor({graph::kMostLogSide}))});
    half = node(".times", "Exp", {half});
    half = node(".half", "Mul", {half, constant(".half_sides", 0.5 * anchors.slice(1, 2, 4))});
    const std::string edges = onnx_.add_node(
        "Concat", name + ".edges",
        {node(".first", "Sub", {middle, half}), node(".second", "Add", {middle, half})},
        {{"axis", 2}});
    const std::string above = node(".above", "Max", {edges, zero});
    return last("Min",
                {above, constant(".limits", at::tensor({o.width, o.height, o.width, o.height}))});
  }
  std::string operator()(const graph::Suppress& o) {
    const std::string& name = node_->name;
    const auto node = [&](const char* own, const char* type, std::vector<std::string> inputs,
                          const OnnxGraph::Attributes& attributes = {}) {
      return onnx_.add_node(type, name + own, inputs, attributes);
    };
    const auto number = [&](const char* own, float value) {
      return onnx_.add_initializer(name + own, at::tensor({value}));
    };
    const graph::Shape& shape = types_[node_->inputs[1].id].shape;
    const std::string first = whole(".first", {0}), one = whole(".one", {1}),
                      two = whole(".two", {2});
    std::string scores =
        node(".by_class", "Transpose", {in(1)}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
    scores = node(".of_objects", "Slice", {scores, one, whole(".classes", {shape[2]}), one});
    if (o.candidates < shape[1]) scores = only_best(o.candidates, scores);
    // Some runtimes drop a box at the threshold, others above it only: between two floats both are
    // the same.
    const float limit = std::nextafter(o.iou, 2.0f);
    const std::string chosen = node(".chosen", "NonMaxSuppression",
                                    {in(0), scores, whole(".most", {o.detections}),
                                     number(".iou", limit), number(".score", o.score)});
    const std::string values = node(".scores", "GatherND", {scores, chosen});
    const std::string count = node(
        ".count", "Min", {node(".found", "Shape", {values}), whole(".detections", {o.detections})});
    onnx_.add_node("TopK", name + ".order", {values, count}, {},
                   std::vector{name + ".score_column", name + ".rows"});
    const std::string rows = name + ".rows";
    const auto column = [&](const char* own, const std::string& at) {
      const std::string all =
          onnx_.add_node("Gather", name + own + "_of_all", {chosen, at}, {{"axis", 1}});
      return onnx_.add_node("Gather", name + own, {all, rows}, {{"axis", 0}});
    };
    const std::string labels =
        cast(name + ".label_column", column(".labels", one), torch::kFloat32);
    const std::string places = node(".places", "Squeeze", {column(".boxes", two), one});
    const std::string boxes = node(
        ".edges", "Gather", {node(".all_boxes", "Squeeze", {in(0), first}), places}, {{"axis", 0}});
    const std::string score_column =
        node(".score_rows", "Unsqueeze", {name + ".score_column", one});
    return last("Concat", {boxes, score_column, labels}, {{"axis", 1}});
  }
  std::string operator()(graph::ArgMax) {
    const std::string index = onnx_.add_node("ArgMax", graph::sibling(node_->name, "index"),
                                             {in(0)}, {{"axis", 1}, {"keepdims", 0}});
    return last("Cast", {index}, {{"to", int64_t{onnx_type(torch::kByte)}}});
  }
  std::string operator()(const graph::Normalize& o) {
    const std::string& name = node_->name;
    const std::string mean = onnx_.add_initializer(name + ".mean", per_channel(o.mean)),
                      std = onnx_.add_initializer(name + ".std", per_channel(o.std));
    std::string x = onnx_.add_node("Transpose", name + ".transpose", {in(0)},
                                   {{"perm", std::vector<int64_t>{0, 3, 1, 2}}});
    x = cast(name + ".float", x, torch::kFloat32);
    x = onnx_.add_node("Sub", name + ".centred", {x, mean});
    x = onnx_.add_node("Div", name + ".scaled", {x, std});
    return type_ == torch::kFloat32 ? x : cast(name + ".half", x, type_);
  }

 private:
  const std::string& in(size_t i) const { return names_[node_->inputs[i].id]; }

  // Numbers in 8 bits: QuantizeLinear and DequantizeLinear stand around them, which runtimes fuse
  // with the operators between.

  std::string on_grid(const std::string& x, const graph::Grid& grid) {
    const std::string scale = onnx_.add_initializer(x + ".scale", at::scalar_tensor(grid.scale)),
                      zero = onnx_.add_initializer(x + ".zero",
                                                   at::scalar_tensor(grid.zero, at::kByte));
    const std::string levels = onnx_.add_node("QuantizeLinear", x + ".levels", {x, scale, zero});
    return onnx_.add_node("DequantizeLinear", x + ".rounded", {levels, scale, zero});
  }

  /// What takes the value takes it from its grid, if it has one.
  void write_grid(graph::Value value) {
    if (const auto* grid = graph_.grid_of(value))
      names_[value.id] = on_grid(names_[value.id], *grid);
  }

  void write_levels(graph::Parameter parameter, const at::Tensor& levels,
                    const at::Tensor& scales) {
    const std::string& name = name_of(parameter);
    // Zeros are optional, but without them ONNX Runtime leaves a Gemm in floating point.
    onnx_.add_node(
        "DequantizeLinear", name,
        {onnx_.add_initializer(name + ".levels", levels),
         onnx_.add_initializer(name + ".scales", scales),
         onnx_.add_initializer(name + ".zeros", at::zeros(scales.sizes(), levels.options()))},
        {{"axis", 0}});
  }

  void write_parameters() {
    std::set<int32_t> written;
    for (const auto& node : graph_.nodes) {
      const auto parameters = graph::weight_and_bias(node.operation);
      const auto* grid = node.inputs.empty() ? nullptr : graph_.grid_of(node.inputs.front());
      if (!parameters || grid == nullptr || !graph_.scales.contains(parameters->weight.id))
        continue;
      const auto& [weight, bias] = *parameters;
      const at::Tensor scales = at::tensor(graph_.scales.at(weight.id));
      write_levels(weight, weight_levels(graph_, weight).to(at::kChar), scales);
      write_levels(bias, bias_levels(graph_, bias, weight, *grid).to(at::kInt),
                   scales * grid->scale);
      written.insert({weight.id, bias.id});
    }
    for (int32_t id = 0; id < std::ssize(graph_.parameters); ++id) {
      const auto& [name, array] = graph_.parameters[id];
      if (!written.contains(id)) onnx_.add_initializer(name, tensor_of(array, type_));
    }
  }

  const std::string& name_of(graph::Parameter parameter) const {
    return graph_.parameters[parameter.id].name;
  }

  /// The first input.
  std::string in_float32() {
    return type_ == torch::kFloat32 ? in(0) : cast(node_->name + ".float", in(0), torch::kFloat32);
  }

  /// A constant of the node's.
  std::string whole(const char* own, const std::vector<int64_t>& values) {
    return onnx_.add_initializer(node_->name + own, at::tensor(values));
  }

  /// Of each class's scores [1,C,A] the `count` best; zeros for the others.
  std::string only_best(int64_t count, const std::string& scores) {
    const std::string name = node_->name + ".best";
    onnx_.add_node("TopK", name, {scores, whole(".candidates", {count})}, {{"axis", 2}},
                   std::vector{name + "_scores", name + "_places"});
    const std::string least = onnx_.add_node("Slice", name + "_least",
                                             {name + "_scores", whole(".last", {count - 1}),
                                              whole(".end", {count}), whole(".places_axis", {2})});
    const std::string enough = onnx_.add_node("GreaterOrEqual", name + "_enough", {scores, least});
    return onnx_.add_node("Where", name + "_only",
                          {enough, scores, onnx_.add_initializer(name + "_none", at::zeros({1}))});
  }

  std::string cast(const std::string& name, const std::string& x, torch::ScalarType type) {
    return onnx_.add_node("Cast", name, {x}, {{"to", int64_t{onnx_type(type)}}});
  }

  /// The ONNX node whose output is the graph node's, but for its ReLU; named like it unless `name`
  /// is given.
  std::string last(const std::string& type, const std::vector<std::string>& inputs,
                   const OnnxGraph::Attributes& attributes = {}, std::string name = "") {
    const std::string& output = outputs_[node_->output.id];
    if (name.empty()) name = node_->name;
    const auto* grid = graph_.grid_of(node_->output);
    const bool is_cut_off = grid != nullptr && grid->zero == 0;  // below zero, as by a ReLU
    if (!node_->relu || is_cut_off) return onnx_.add_node(type, name, inputs, attributes, output);
    const std::string x = onnx_.add_node(type, name, inputs, attributes);
    return onnx_.add_node("Relu", graph::sibling(node_->name, "relu"), {x}, {}, output);
  }

  const graph::Graph& graph_;
  const torch::ScalarType type_;
  OnnxGraph& onnx_;
  const std::vector<graph::Type> types_ = graph::infer_shapes(graph_, 1, 64, 64);
  const graph::Node* node_ = nullptr;
  std::vector<std::string> names_;    // of each value, in the file
  std::vector<std::string> outputs_;  // its name as an output of the network, or empty
};

torch::ScalarType scalar_type(graph::Element element, torch::ScalarType floating) {
  return element == graph::Element::kFloat ? floating : torch::kByte;
}

/// Whose outputs are float32 whatever the network computes in.
bool is_of_float32(const graph::Operation& operation) {
  return std::holds_alternative<graph::Softmax>(operation) ||
         std::holds_alternative<graph::DecodeBoxes>(operation) ||
         std::holds_alternative<graph::Suppress>(operation);
}

constexpr int64_t kHeight = 160, kWidth = 224;  ///< of images that may have any size

void add_input(const graph::Input& input, torch::ScalarType type, OnnxGraph& onnx) {
  const auto size = [](int64_t fixed, const char* name) {
    return fixed > 0 ? OnnxSize(fixed) : OnnxSize(name);
  };
  const OnnxSize batch = size(input.batch, "batch"), height = size(input.height, "height"),
                 width = size(input.width, "width");
  std::vector<OnnxSize> sizes{batch, input.channels, height, width};
  if (input.element == graph::Element::kUint8) sizes = {batch, height, width, input.channels};
  onnx.add_input(input.name, scalar_type(input.element, type), sizes);
}

/// Of an output, a name for each size that may vary. [N,C], [N,C,H,W] or [N,H,W]: sizes that are
/// the image's have its names. [N,A,C]: anchors of images of one size.
std::vector<OnnxSize> output_sizes(const graph::Output& output, const graph::Type& type,
                                   bool fixed) {
  const auto& [element, shape] = type;
  std::vector<OnnxSize> sizes{"batch"};
  if (element == graph::Element::kFloat) sizes.emplace_back(shape[1]);
  if (shape.size() == 3 && element == graph::Element::kFloat) {
    sizes.emplace_back(shape[2]);
  } else if (shape.size() > 2) {
    const bool as_image = shape[shape.size() - 2] == kHeight && shape.back() == kWidth;
    const std::string prefix = as_image || fixed ? "" : output.name + "_";
    sizes.emplace_back(prefix + "height");
    sizes.emplace_back(prefix + "width");
  }
  return sizes;
}

void add_outputs(const graph::Graph& graph, torch::ScalarType type, OnnxGraph& onnx) {
  const auto types = graph::infer_shapes(graph, 1, kHeight, kWidth);
  for (const auto& output : graph.outputs) {
    const auto node = std::ranges::find(graph.nodes, output.value, &graph::Node::output);
    const bool in_float32 = node != graph.nodes.end() && is_of_float32(node->operation);
    auto sizes = output_sizes(output, types[output.value.id], graph.input.height > 0);
    if (node != graph.nodes.end() && std::holds_alternative<graph::Suppress>(node->operation)) {
      sizes.front() = "found";
    }
    onnx.add_output(
        output.name,
        scalar_type(types[output.value.id].element, in_float32 ? torch::kFloat32 : type), sizes);
  }
}

/// Names may be any bytes; ONNX wants UTF-8.
std::string json_text(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

struct AttributeText {
  std::string operator()(const std::string& text) const { return text; }
  std::string operator()(const auto& value) const { return json_text(value); }
};

std::vector<std::pair<std::string, std::string>> metadata_of(const Package& package) {
  std::vector<std::pair<std::string, std::string>> entries;
  for (const auto& [name, value] : attributes_of(package)) {
    entries.emplace_back(name, std::visit(AttributeText{}, value));
  }
  entries.emplace_back(kConfigFile, valid_utf8(to_yaml(package.config)));
  entries.emplace_back(kDescriptionFile, to_json(package.description));
  return entries;
}

}  // namespace

std::string to_onnx(const Package& package) {
  graph::check(package.graph);
  const auto type = scalar_type(package.description.interface.type);
  OnnxGraph onnx("MobileOne");
  add_input(package.graph.input, type, onnx);
  OnnxNodes(package.graph, type, onnx).write();
  add_outputs(package.graph, type, onnx);
  return onnx_model(onnx, "mobileone", std::string(version()), metadata_of(package));
}

std::map<std::string, std::string> onnx_metadata(std::string_view bytes) {
  constexpr protozero::pbf_tag_type kMetadataProps = 14, kKey = 1, kValue = 2;  // onnx.proto
  std::map<std::string, std::string> metadata;
  try {
    protozero::pbf_reader model(bytes.data(), bytes.size());
    while (model.next(kMetadataProps)) {
      std::string key, value;
      for (protozero::pbf_reader entry = model.get_message(); entry.next();) {
        if (entry.tag() == kKey) {
          key = entry.get_string();
        } else if (entry.tag() == kValue) {
          value = entry.get_string();
        } else {
          entry.skip();
        }
      }
      metadata.insert_or_assign(key, value);
    }
  } catch (const protozero::exception&) {
    // It ends here.
  }
  return metadata;
}

std::optional<Difference> export_onnx(const Package& package, const std::filesystem::path& path,
                                      const FormatOptions&) {
  write_whole(path, to_onnx(package));
  return std::nullopt;
}

}  // namespace mobileone
