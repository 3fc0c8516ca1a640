#include "mobileone/export/onnx.h"

#include <torch/types.h>

#include <nlohmann/json.hpp>
#include <protozero/pbf_reader.hpp>

#include "attributes.h"
#include "mobileone/checkpoint/weights_file.h"
#include "mobileone/config/writer.h"
#include "mobileone/graph/shapes.h"
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
    for (const auto& node : graph_.nodes) {
      node_ = &node;
      names_[node.output.id] = std::visit(*this, node.operation);
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
    const std::string mean = onnx_.add_node("GlobalAveragePool", node_->name, {in(0)});
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
  std::string operator()(graph::Softmax) {
    const std::string x =
        type_ == torch::kFloat32 ? in(0) : cast(node_->name + ".float", in(0), torch::kFloat32);
    return last("Softmax", {x}, {{"axis", 1}});
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
  const std::string& name_of(graph::Parameter parameter) const {
    return graph_.parameters[parameter.id].name;
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
    if (!node_->relu) return onnx_.add_node(type, name, inputs, attributes, output);
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

void add_input(const graph::Input& input, torch::ScalarType type, OnnxGraph& onnx) {
  std::vector<OnnxSize> sizes{"batch", input.channels, "height", "width"};
  if (input.element == graph::Element::kUint8) {
    sizes = {"batch", "height", "width", input.channels};
  }
  onnx.add_input(input.name, scalar_type(input.element, type), sizes);
}

/// [N,C], [N,C,H,W] or [N,H,W]: sizes that are the image's have its names.
void add_outputs(const graph::Graph& graph, torch::ScalarType type, OnnxGraph& onnx) {
  constexpr int64_t kHeight = 160, kWidth = 224;
  const auto types = graph::infer_shapes(graph, 1, kHeight, kWidth);
  for (const auto& [name, value] : graph.outputs) {
    const auto& [element, shape] = types[value.id];
    std::vector<OnnxSize> sizes{"batch"};
    if (element == graph::Element::kFloat) sizes.emplace_back(shape[1]);
    if (shape.size() > 2) {
      const bool as_image = shape[shape.size() - 2] == kHeight && shape.back() == kWidth;
      const std::string prefix = as_image ? "" : name + "_";
      sizes.emplace_back(prefix + "height");
      sizes.emplace_back(prefix + "width");
    }
    const bool probabilities = std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](auto& node) {
      return node.output == value && std::holds_alternative<graph::Softmax>(node.operation);
    });
    onnx.add_output(name, scalar_type(element, probabilities ? torch::kFloat32 : type), sizes);
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
  for (const auto& [name, value] : attributes_of(package.description)) {
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
  for (const auto& [name, array] : package.graph.parameters) {
    onnx.add_initializer(name, to_tensor(array, type));
  }
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
