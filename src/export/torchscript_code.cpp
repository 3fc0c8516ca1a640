// The code of a network in TorchScript.
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <utility>

#include "mobileone/export/torchscript.h"
#include "mobileone/graph/shapes.h"
#include "mobileone/model/graph_arrays.h"
#include "tensors.h"
#include "torchscript_boxes.h"

namespace mobileone {
namespace jit = torch::jit;
namespace {

/// Numbers are written as ScalarType and MemoryFormat, as in all TorchScript files.
constexpr int kFloat32 = static_cast<int>(at::kFloat), kUint8 = static_cast<int>(at::kByte),
              kChannelsLast = static_cast<int>(at::MemoryFormat::ChannelsLast);

/// Lets code call oneDNN's operators as "mkldnn", their namespace.
class OneDnnResolver : public jit::NativeResolver {
 public:
  std::shared_ptr<jit::SugaredValue> resolveValue(const std::string& name, jit::GraphFunction& code,
                                                  const jit::SourceRange& place) override {
    if (name == "mkldnn") return std::make_shared<jit::BuiltinModule>(name);
    return jit::NativeResolver::resolveValue(name, code, place);
  }
};

/// The modules of a network, nested as the keys of its parameters, which they hold. They share one
/// compilation unit, so that they can contain and call each other.
class ModuleTree {
 public:
  ModuleTree(const graph::Graph& graph, at::ScalarType type) {
    for (const auto& node : graph.nodes) {
      for (std::string path = node.unit; !path.empty(); path = graph::parent(path)) {
        types_.emplace(path, path == node.unit ? "Unit" : "Stage");
      }
    }
    modules_.emplace("", make("MobileOne"));
    for (const auto& [name, array] : graph.parameters) {
      at(graph::parent(name))
          .register_parameter(last_part(name), tensor_of(array, type), /*is_buffer=*/false);
    }
  }

  /// The module at `path`, made, as those that it is in, when it is first asked for.
  jit::Module& at(const std::string& path) {
    if (const auto found = modules_.find(path); found != modules_.end()) return found->second;
    const auto type = types_.find(path);
    const jit::Module module = make(type == types_.end() ? "Parameters" : type->second);
    at(graph::parent(path)).register_module(last_part(path), module);
    return modules_.emplace(path, module).first->second;
  }

  jit::Module make(const std::string& type) const {
    jit::Module module(c10::QualifiedName("__torch__." + type), unit_, /*shouldMangle=*/true);
    module.register_attribute("training", c10::BoolType::get(), false);
    return module;
  }

 private:
  static std::string last_part(const std::string& name) { return name.substr(name.rfind('.') + 1); }

  std::shared_ptr<jit::CompilationUnit> unit_ = std::make_shared<jit::CompilationUnit>();
  std::map<std::string, std::string> types_;
  std::map<std::string, jit::Module> modules_;
};

/// `name`, a module or parameter below the module `path`, in that module's code: "self.se.reduce",
/// "getattr(self.branches, "0")".
std::string reference(const std::string& path, const std::string& name) {
  std::string code = "self";
  for (size_t begin = path.empty() ? 0 : path.size() + 1; begin < name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    const bool number = std::isdigit(static_cast<unsigned char>(part[0]));
    code = number ? fmt::format("getattr({}, \"{}\")", code, part) : code + "." + part;
    begin = end + 1;
  }
  return code;
}

std::string geometry(const graph::Conv& o) {
  return fmt::format("[{0}, {0}], [{1}, {1}], [{2}, {2}], {3}", o.padding, o.stride, o.dilation,
                     o.groups);
}

/// The weight of a unit in the layout that oneDNN computes with, made anew where a file is loaded:
/// the file holds the plain weight, once, whose memory `plain` shares.
jit::Module make_packed(const ModuleTree& modules, const graph::Conv& o, const at::Tensor& weight) {
  constexpr int64_t kAnySize = 28;  // without one, oneDNN takes the plain layout
  jit::Module module = modules.make("PackedWeight");
  module.register_attribute("plain", c10::TensorType::get(), weight.detach());
  module.register_attribute("weight", c10::TensorType::get(), weight.detach());
  module.register_attribute("version", c10::IntType::get(), 0);
  module.define("def __getstate__(self) -> Tensor:\n    return self.plain\n");
  module.define(
      fmt::format("def __setstate__(self, plain: Tensor) -> None:\n"
                  "    self.training = False\n"
                  "    self.plain = plain\n"
                  "    self.version = 0\n"
                  "    self.weight = mkldnn._reorder_convolution_weight(torch.contiguous(plain, "
                  "memory_format={}), {}, [1, {}, {}, {}])\n",
                  kChannelsLast, geometry(o), weight.size(1) * o.groups, kAnySize, kAnySize),
      std::make_shared<OneDnnResolver>());
  return module;
}

/// Where code is written: the forward of the module at `path`. Each value in it has a variable; one
/// that is not needed any more leaves its variable to the next.
struct Forward {
  std::string path;
  size_t end;  ///< of its nodes
  std::vector<graph::Value> outputs;
  std::map<graph::Value, std::string> variables = {};
  std::string code = {};
};

/// Writes a graph as the forwards of modules.
class CodeWriter {
 public:
  CodeWriter(const graph::Graph& graph, TorchScriptForm form, ModuleTree& modules)
      : graph_(graph), form_(form), modules_(modules), pooled_(graph::find_pooled(graph)) {}

  void write() {
    std::vector<graph::Value> outputs;
    for (const auto& output : graph_.outputs) outputs.push_back(output.value);
    define("", 0, graph_.nodes.size(), {graph_.input.value}, outputs);
  }

  std::string operator()(const graph::Conv& o) {
    const std::string weight = parameter(o.weight), bias = parameter(o.bias);
    const std::string plain = fmt::format(
        "torch.conv2d({}, {}, {}, [{}, {}], [{}, {}], [{}, {}], {})", in(0), weight, bias, o.stride,
        o.stride, o.padding, o.padding, o.dilation, o.dilation, o.groups);
    if (form_ == TorchScriptForm::kPortable || pooled_[node_->inputs[0].id]) return plain;
    // Where oneDNN computes as nobody asks for gradients or another type.
    std::string code = fmt::format(
        "    if {0}.is_cpu and {0}.dtype == {1} and not ({0}.requires_grad or "
        "{2}.requires_grad):\n",
        in(0), kFloat32, weight);
    if (is_packed(o)) code += take_packed(o, weight);
    forward_->code +=
        code + fmt::format(
                   "        {} = mkldnn._convolution_pointwise({}, {}, {}, {}, \"{}\", [], "
                   "None)\n    else:\n    ",
                   out_, in(0), is_packed(o) ? "w" : weight, bias, geometry(o),
                   node_->relu ? "relu" : "none");
    return plain;
  }
  std::string operator()(const graph::Linear& o) {
    return fmt::format("torch.linear({}, {}, {})", in(0), parameter(o.weight), parameter(o.bias));
  }
  std::string operator()(const graph::GlobalMean& o) {
    return fmt::format("torch.mean({}, [2, 3]{})", in(0), o.keep_sizes ? ", True" : "");
  }
  std::string operator()(graph::Sigmoid) { return fmt::format("torch.sigmoid({})", in(0)); }
  std::string operator()(graph::Multiply) { return fmt::format("{} * {}", in(0), in(1)); }
  std::string operator()(graph::Add) { return fmt::format("{} + {}", in(0), in(1)); }
  std::string operator()(graph::Concat) {
    std::vector<std::string> parts;
    for (size_t i = 0; i < node_->inputs.size(); ++i) parts.push_back(in(i));
    return fmt::format("torch.cat([{}], 1)", fmt::join(parts, ", "));
  }
  std::string operator()(const graph::PerAnchor& o) {
    return fmt::format(
        "torch.reshape(torch.permute({0}, [0, 2, 3, 1]), [torch.size({0}, 0), -1, "
        "torch.size({0}, 1) // {1}])",
        in(0), o.anchors);
  }
  std::string operator()(graph::Resize) {
    return fmt::format(
        "torch.upsample_bilinear2d({0}, [torch.size({1}, 2), torch.size({1}, 3)], False)", in(0),
        in(1));
  }
  std::string operator()(graph::Softmax o) {
    return fmt::format("torch.softmax(torch.to({}, {}), {})", in(0), kFloat32, o.axis);
  }
  std::string operator()(const graph::DecodeBoxes& o) {
    const at::Tensor anchors = tensor_of(o.anchors, at::kFloat);
    jit::Module& module = modules_.at("");
    module.register_buffer("anchor_centers", anchors.slice(1, 0, 2).contiguous());
    module.register_buffer("anchor_sides", anchors.slice(1, 2, 4).contiguous());
    module.register_buffer("limits", at::tensor({o.width, o.height, o.width, o.height}));
    module.define(
        fmt::format(kDecodeCode, kFloat32, o.variances[0], o.variances[1], graph::kMostLogSide));
    return fmt::format("self.decode({})", in(0));
  }
  std::string operator()(const graph::Suppress& o) {
    modules_.at("").define(
        fmt::format(kSuppressCode, o.score, o.iou, o.candidates, o.detections, kFloat32));
    return fmt::format("self.suppress({}, {})", in(0), in(1));
  }
  std::string operator()(graph::ArgMax) {
    return fmt::format("torch.to(torch.argmax({}, 1), {})", in(0), kUint8);
  }
  std::string operator()(const graph::Normalize& o) {
    jit::Module& module = modules_.at("");
    module.register_buffer("mean_levels", per_channel(o.mean));
    module.register_buffer("std_levels", per_channel(o.std));
    const int type = static_cast<int>((*module.parameters().begin()).scalar_type());
    forward_->code += fmt::format(
        "    assert {0}.dtype == {1} and {0}.dim() == 4 and {0}.size(3) == {2}, "
        "\"expected images as uint8 [N,H,W,{2}]\"\n"
        "    {0} = torch.to(torch.permute({0}, [0, 3, 1, 2]), {3})\n",
        in(0), kUint8, o.mean.size(), kFloat32);
    return fmt::format("torch.to(({} - self.mean_levels) / self.std_levels, {})", in(0), type);
  }

 private:
  /// Gives the module at `path` a forward that computes `outputs` of `inputs` by nodes [begin,end).
  void define(const std::string& path, size_t begin, size_t end,
              const std::vector<graph::Value>& inputs, const std::vector<graph::Value>& outputs) {
    Forward forward{path, end, outputs};
    std::string parameters;
    for (const auto input : inputs) {
      forward.variables[input] = new_variable(forward, begin);
      parameters += fmt::format(", {}: Tensor", forward.variables[input]);
    }
    if (path.empty() && graph_.input.height > 0) {
      forward.code += require_size(forward.variables[graph_.input.value]);
    }
    if (path.empty() && graph_.input.element == graph::Element::kFloat) {
      forward.code += channels_last(forward.variables[graph_.input.value]);
    }
    write_nodes(forward, path, begin, end);
    std::vector<std::string> results;
    for (const auto output : outputs) results.push_back(forward.variables.at(output));
    modules_.at(path).define(fmt::format("def forward(self{}){}:\n{}    return {}\n", parameters,
                                         outputs.size() == 1 ? " -> Tensor" : "", forward.code,
                                         fmt::join(results, ", ")),
                             std::make_shared<OneDnnResolver>());
  }

  /// Nodes of units below `path` become calls of the modules there where these stand together and
  /// have one output, and code of `forward` otherwise, as all other nodes.
  void write_nodes(Forward& forward, const std::string& path, size_t begin, size_t end) {
    for (size_t next; begin < end; begin = next) {
      const std::string child = child_of(path, graph_.nodes[begin].unit);
      next = begin + 1;
      if (child.empty()) {
        write_node(forward, graph_.nodes[begin]);
        continue;
      }
      while (next < end && child_of(path, graph_.nodes[next].unit) == child) ++next;
      std::vector<graph::Value> inputs, outputs;
      for (size_t i = begin; i < next; ++i) {
        for (const auto input : graph_.nodes[i].inputs) {
          const bool known = std::find(inputs.begin(), inputs.end(), input) != inputs.end();
          if (forward.variables.contains(input) && !known) inputs.push_back(input);
        }
        const auto output = graph_.nodes[i].output;
        if (is_needed(forward, output, next)) outputs.push_back(output);
      }
      if (outputs.size() != 1 || !has_all_of(path, child, begin, next)) {
        write_nodes(forward, child, begin, next);
        continue;
      }
      define(child, begin, next, inputs, outputs);
      std::vector<std::string> arguments;
      for (const auto input : inputs) arguments.push_back(forward.variables.at(input));
      forward.code += fmt::format("    {} = {}.forward({})\n",
                                  variable_for(forward, outputs[0], inputs[0], next),
                                  reference(forward.path, child), fmt::join(arguments, ", "));
    }
  }

  void write_node(Forward& forward, const graph::Node& node) {
    const size_t next = static_cast<size_t>(&node - graph_.nodes.data()) + 1;
    node_ = &node;
    forward_ = &forward;
    arguments_.clear();
    for (const auto input : node.inputs) arguments_.push_back(forward.variables.at(input));
    out_ = variable_for(forward, node.output, node.inputs[0], next);
    const std::string value = std::visit(*this, node.operation);
    forward.code +=
        fmt::format("    {} = {}\n", out_, node.relu ? "torch.relu(" + value + ")" : value);
    if (std::holds_alternative<graph::Normalize>(node.operation))
      forward.code += channels_last(out_);
  }

  /// What oneDNN's kernels of both kinds of convolution take as it is.
  static std::string channels_last(const std::string& x) {
    return fmt::format("    {0} = torch.contiguous({0}, memory_format={1})\n", x, kChannelsLast);
  }

  /// Throws for images that the network was not written for.
  std::string require_size(const std::string& x) const {
    const graph::Input& input = graph_.input;
    const bool levels = input.element == graph::Element::kUint8;
    const int rows = levels ? 1 : 2;
    std::string fits = fmt::format("torch.size({0}, {1}) == {2} and torch.size({0}, {3}) == {4}", x,
                                   rows, input.height, rows + 1, input.width);
    std::string batch = "N";
    if (input.batch > 0) {
      fits += fmt::format(" and torch.size({}, 0) == {}", x, input.batch);
      batch = std::to_string(input.batch);
    }
    const std::string expected =
        levels ? fmt::format("{},{},{},{}", batch, input.height, input.width, input.channels)
               : fmt::format("{},{},{},{}", batch, input.channels, input.height, input.width);
    return fmt::format("    assert {}, \"expected images [{}]\"\n", fits, expected);
  }

  /// The module just below `path` that `unit` is or is in; empty where it is not below.
  static std::string child_of(const std::string& path, const std::string& unit) {
    const std::string prefix = path.empty() ? "" : path + ".";
    if (!unit.starts_with(prefix)) return "";
    return unit.substr(0, unit.find('.', prefix.size()));
  }

  /// Whether all nodes of the module `child`, just below `path`, are among [begin,end).
  bool has_all_of(const std::string& path, const std::string& child, size_t begin,
                  size_t end) const {
    const auto count =
        std::count_if(graph_.nodes.begin(), graph_.nodes.end(),
                      [&](const graph::Node& node) { return child_of(path, node.unit) == child; });
    return static_cast<size_t>(count) == end - begin;
  }

  /// Whether a value is an output of `forward` or an input of its nodes from `next` on.
  bool is_needed(const Forward& forward, graph::Value value, size_t next) const {
    const auto has = [&](const std::vector<graph::Value>& values) {
      return std::find(values.begin(), values.end(), value) != values.end();
    };
    return has(forward.outputs) ||
           std::any_of(graph_.nodes.begin() + static_cast<int64_t>(next),
                       graph_.nodes.begin() + static_cast<int64_t>(forward.end),
                       [&](const graph::Node& node) { return has(node.inputs); });
  }

  /// The variable of `output`: that of `input` where nodes from `next` on do not need it.
  std::string variable_for(Forward& forward, graph::Value output, graph::Value input, size_t next) {
    std::string name =
        is_needed(forward, input, next) ? new_variable(forward, next) : forward.variables.at(input);
    return forward.variables[output] = name;
  }

  std::string new_variable(const Forward& forward, size_t next) const {
    std::set<std::string> taken;
    for (const auto& [value, name] : forward.variables) {
      if (is_needed(forward, value, next)) taken.insert(name);
    }
    for (const char name : std::string("xsyzabcdefgh")) {
      if (!taken.contains({name})) return {name};
    }
    for (int64_t i = 1;; ++i) {
      if (const auto name = fmt::format("x{}", i); !taken.contains(name)) return name;
    }
  }

  const std::string& in(size_t i) const { return arguments_[i]; }
  std::string parameter(graph::Parameter parameter) const {
    return reference(forward_->path, graph_.parameters[parameter.id].name);
  }

  /// Whether a weight is laid out when a file is loaded: only a unit's depthwise one, whose layout
  /// follows from the instruction set. That of the others depends on image size, batch and threads
  /// too, and oneDNN turns one of its layouts into another many times slower than the plain weight.
  bool is_packed(const graph::Conv& o) const {
    return form_ == TorchScriptForm::kPacked && o.groups > 1 && !node_->unit.empty() &&
           graph::parent(node_->name) == node_->unit;
  }

  /// Code that takes the packed weight for `w`, or the plain one where it was changed since.
  std::string take_packed(const graph::Conv& o, const std::string& weight) {
    const at::Tensor plain = modules_.at(node_->name).attr("weight").toTensor();
    modules_.at(node_->unit).register_module("packed", make_packed(modules_, o, plain));
    const std::string packed = reference(forward_->path, node_->unit + ".packed");
    return fmt::format(
        "        w = {0}.weight\n"
        "        if not {1}.is_inference() and {1}._version() != {0}.version:\n"
        "            w = {1}\n",
        packed, weight);
  }

  const graph::Graph& graph_;
  const TorchScriptForm form_;
  ModuleTree& modules_;
  const std::vector<bool> pooled_;
  // The node that is being written, where, and the variables of what it takes and gives.
  const graph::Node* node_ = nullptr;
  Forward* forward_ = nullptr;
  std::vector<std::string> arguments_;
  std::string out_;
};

}  // namespace

jit::Module to_torchscript(const graph::Graph& graph, TorchScriptForm form, ExportType type) {
  graph::check(graph);
  const bool half = type == ExportType::kFloat16;
  if (form == TorchScriptForm::kPacked && half) form = TorchScriptForm::kFused;
  ModuleTree modules(graph, scalar_type(type));
  CodeWriter(graph, form, modules).write();
  return modules.at("");
}

}  // namespace mobileone
