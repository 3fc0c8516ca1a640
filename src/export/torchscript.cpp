#include "mobileone/export/torchscript.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/export.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/utils.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "mobileone/config/reader.h"
#include "mobileone/config/writer.h"
#include "mobileone/model/counts.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/version.h"

namespace mobileone {
namespace jit = torch::jit;
namespace {

constexpr const char* kConfigFile = "config.yaml";
constexpr const char* kDescriptionFile = "mobileone.json";

/// Makes modules that share one compilation unit, so that they can contain and call each other.
class ModuleMaker {
 public:
  jit::Module make(const std::string& type) const {
    jit::Module module(c10::QualifiedName("__torch__." + type), unit_, /*shouldMangle=*/true);
    module.register_attribute("training", c10::BoolType::get(), false);
    return module;
  }

  /// A module that holds the parameters of `source` below `prefix`, nested as their keys are.
  jit::Module make_parameters(const std::string& type, const torch::nn::Module& source) const {
    jit::Module module = make(type);
    for (const auto& item : source.named_parameters(/*recurse=*/false)) {
      module.register_parameter(item.key(), item.value().detach().clone(), /*is_buffer=*/false);
    }
    for (const auto& child : source.named_children()) {
      module.register_module(child.key(), make_parameters("Parameters", *child.value()));
    }
    return module;
  }

 private:
  std::shared_ptr<jit::CompilationUnit> unit_ = std::make_shared<jit::CompilationUnit>();
};

jit::Module make_unit(const ModuleMaker& maker, const UnitImpl& unit) {
  const UnitOptions& o = unit.options;
  jit::Module module = maker.make_parameters("Unit", unit);
  std::string code = fmt::format(
      "def forward(self, x: Tensor) -> Tensor:\n"
      "    x = torch.conv2d(x, self.reparam_conv.weight, self.reparam_conv.bias, "
      "[{0}, {0}], [{1}, {1}], [{2}, {2}], {3})\n",
      o.stride, o.padding(), o.dilation, o.groups);
  if (o.se) {
    code +=
        "    s = torch.mean(x, [2, 3], True)\n"
        "    s = torch.relu(torch.conv2d(s, self.se.reduce.weight, self.se.reduce.bias))\n"
        "    s = torch.conv2d(s, self.se.expand.weight, self.se.expand.bias)\n"
        "    x = x * torch.sigmoid(s)\n";
  }
  module.define(code + "    return torch.relu(x)\n");
  return module;
}

/// By way of memory: LibTorch's own file writer ends the process where the disk is full.
void save_archive(const jit::Module& module, const std::filesystem::path& path,
                  const jit::ExtraFilesMap& extra_files) {
  std::ostringstream bytes;
  module.save(bytes, extra_files);
  std::ofstream stream(path, std::ios::binary);
  stream << bytes.view() << std::flush;
  if (!stream) throw Error("{}: cannot be written: {}", path.string(), std::strerror(errno));
}

std::string description(const MobileOne& folded, const Checkpoint& checkpoint,
                        const std::string& source) {
  const DataConfig& data = checkpoint.config.data;
  const LayerCounts counts = total_counts(folded->options, data.eval_crop);
  nlohmann::ordered_json json;
  json["format"] = "mobileone";
  json["variant"] = folded->options.variant;
  json["class_names"] = checkpoint.class_names;
  json["num_classes"] = folded->options.num_classes;
  json["preprocessing"] = {{"channels", "RGB"},
                           {"exif_orientation", data.exif_orientation},
                           {"resize_short_side", data.eval_resize},
                           {"interpolation", to_string(data.interpolation)},
                           {"antialias", true},
                           {"center_crop", data.eval_crop},
                           {"scale", "divide by 255"},
                           {"mean", data.mean},
                           {"std", data.std}};
  json["parameters"] = counts.parameters;
  json["macs"] = counts.macs;
  json["activations"] = counts.activations;
  json["metrics"] = nlohmann::ordered_json::object();
  for (const auto& [name, value] : checkpoint.metrics) json["metrics"][name] = value;
  json["source"] = source;
  json["program"] = fmt::format("mobileone {}", version());
  // Names and paths may be any bytes.
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

jit::Module to_torchscript(const MobileOne& folded) {
  const ModuleMaker maker;
  jit::Module top = maker.make("MobileOne");
  std::string code = "def forward(self, x: Tensor) -> Tensor:\n";
  auto unit = folded->units().begin();
  top.register_module((*unit)->options.name, make_unit(maker, **unit));
  code += fmt::format("    x = self.{}.forward(x)\n", (*unit++)->options.name);
  for (size_t s = 0; s < folded->options.stages.size(); ++s) {
    jit::Module stage = maker.make("Stage");
    std::string stage_code = "def forward(self, x: Tensor) -> Tensor:\n";
    for (int64_t i = 0; i < 2 * folded->options.stages[s].blocks; ++i) {
      stage.register_module(std::to_string(i), make_unit(maker, **unit++));
      stage_code += fmt::format("    x = getattr(self, \"{}\").forward(x)\n", i);
    }
    stage.define(stage_code + "    return x\n");
    top.register_module(fmt::format("stage{}", s + 1), stage);
    code += fmt::format("    x = self.stage{}.forward(x)\n", s + 1);
  }
  top.register_module("linear", maker.make_parameters("Linear", *folded->linear()));
  top.define(code +
             "    x = torch.mean(x, [2, 3])\n"
             "    return torch.linear(x, self.linear.weight, self.linear.bias)\n");
  return top;
}

namespace {

/// What a consumer needs besides the network, as attributes: no JSON reader is asked of it.
std::vector<std::string> add_attributes(jit::Module& module, const Checkpoint& checkpoint) {
  const DataConfig& data = checkpoint.config.data;
  const auto add = [&](const std::string& name, const c10::TypePtr& type, c10::IValue value) {
    module.register_attribute(name, type, std::move(value));
    return name;
  };
  const auto doubles = c10::ListType::create(c10::FloatType::get());
  const auto strings = c10::ListType::create(c10::StringType::get());
  return {add("class_names", strings, c10::List<std::string>(checkpoint.class_names)),
          add("resize", c10::IntType::get(), data.eval_resize),
          add("crop", c10::IntType::get(), data.eval_crop),
          add("interpolation", c10::StringType::get(), std::string(to_string(data.interpolation))),
          add("mean", doubles, std::vector<double>(data.mean.begin(), data.mean.end())),
          add("std", doubles, std::vector<double>(data.std.begin(), data.std.end()))};
}

}  // namespace

Difference export_torchscript(const MobileOne& folded, const Checkpoint& checkpoint,
                              const std::string& source, const std::filesystem::path& path,
                              bool frozen) {
  torch::NoGradGuard no_grad;
  jit::Module module = to_torchscript(folded);
  const auto attributes = add_attributes(module, checkpoint);
  if (frozen) module = jit::freeze(module, attributes);
  Difference difference;
  write_whole(path, [&](const std::filesystem::path& temporary) {
    save_archive(module, temporary,
                 {{kConfigFile, to_yaml(checkpoint.config)},
                  {kDescriptionFile, description(folded, checkpoint, source)}});
    TorchScriptModel reloaded = load_torchscript(temporary);
    const auto x = seeded_input(folded, 2, checkpoint.config.data.eval_crop);
    difference =
        largest_difference(MobileOne(folded)->forward(x), reloaded.module.forward({x}).toTensor());
    if (!(difference.relative <= 1e-5)) {
      throw Error(
          "{}: the exported file's logits differ from the network's by {:.3g} (relative "
          "{:.3g}, at most 1e-5 expected); nothing was written",
          path.string(), difference.absolute, difference.relative);
    }
  });
  return difference;
}

TorchScriptModel load_torchscript(const std::filesystem::path& path) {
  require_file(path, "TorchScript file");
  TorchScriptModel model;
  jit::ExtraFilesMap extra_files{{kConfigFile, ""}, {kDescriptionFile, ""}};
  try {
    model.module = jit::load(path.string(), torch::kCPU, extra_files);
  } catch (const std::exception& error) {
    // c10::Error, or jit::ErrorReport, whose text begins with an empty line.
    const std::string message = error.what();
    const size_t begin = message.find_first_not_of('\n');
    throw Error("{}: cannot be read as TorchScript: {}", path.string(),
                begin == std::string::npos
                    ? "damaged"
                    : message.substr(begin, message.find('\n', begin) - begin));
  }
  model.module.eval();
  if (!extra_files[kConfigFile].empty()) {
    model.ours = true;
    model.config = parse_config(extra_files[kConfigFile], path.string() + " > config.yaml");
  }
  const auto json = nlohmann::json::parse(extra_files[kDescriptionFile], nullptr,
                                          /*allow_exceptions=*/false);
  if (json.is_object() && json.contains("class_names")) {
    for (const auto& name : json["class_names"])
      model.class_names.push_back(name.is_string() ? name.get<std::string>() : name.dump());
  }
  return model;
}

}  // namespace mobileone
