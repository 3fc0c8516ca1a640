#include "mobileone/export/torchscript.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>
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

#include "mobileone/checkpoint/torch_file.h"
#include "mobileone/config/reader.h"
#include "mobileone/config/writer.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace jit = torch::jit;
namespace {

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

/// Lets code call oneDNN's operators as "mkldnn", their namespace.
class OneDnnResolver : public jit::NativeResolver {
 public:
  std::shared_ptr<jit::SugaredValue> resolveValue(const std::string& name, jit::GraphFunction& code,
                                                  const jit::SourceRange& place) override {
    if (name == "mkldnn") return std::make_shared<jit::BuiltinModule>(name);
    return jit::NativeResolver::resolveValue(name, code, place);
  }
};

std::string geometry(const UnitOptions& o) {
  return fmt::format("[{0}, {0}], [{1}, {1}], [{2}, {2}], {3}", o.padding(), o.stride, o.dilation,
                     o.groups);
}

/// Where oneDNN computes as nobody asks for gradients or another type.
std::string is_inference(const std::string& x) {
  return fmt::format(
      "{0}.is_cpu and {0}.dtype == {1} and not ({0}.requires_grad or "
      "self.reparam_conv.weight.requires_grad)",
      x, static_cast<int>(torch::kFloat32));
}

/// Whether a unit's weight is laid out when a file is loaded: only a depthwise one, whose layout
/// follows from the instruction set. That of the others depends on image size, batch and threads
/// too, and oneDNN turns one of its layouts into another many times slower than the plain weight.
bool is_packed(const UnitOptions& o, TorchScriptForm form) {
  return form == TorchScriptForm::kPacked && o.groups > 1;
}

/// The convolution of a unit and, without squeeze-and-excitation between them, its ReLU.
std::string convolution_code(const UnitOptions& o, TorchScriptForm form) {
  const std::string weights = "self.reparam_conv.weight, self.reparam_conv.bias";
  std::string plain = fmt::format("torch.conv2d(x, {0}, [{1}, {1}], [{2}, {2}], [{3}, {3}], {4})",
                                  weights, o.stride, o.padding(), o.dilation, o.groups);
  if (!o.se) plain = fmt::format("torch.relu({})", plain);
  if (form == TorchScriptForm::kPortable) return fmt::format("    x = {}\n", plain);
  const bool packed = is_packed(o, form);
  std::string code = fmt::format("    if {}:\n", is_inference("x"));
  if (packed) {
    code +=
        "        w = self.packed.weight\n"
        "        if not self.reparam_conv.weight.is_inference() and "
        "self.reparam_conv.weight._version() != self.packed.version:\n"
        "            w = self.reparam_conv.weight\n";
  }
  code += fmt::format(
      "        x = mkldnn._convolution_pointwise(x, {}, self.reparam_conv.bias, {}, \"{}\", [], "
      "None)\n",
      packed ? "w" : "self.reparam_conv.weight", geometry(o), o.se ? "none" : "relu");
  return code + fmt::format("    else:\n        x = {}\n", plain);
}

/// The weight of a unit in the layout that oneDNN computes with, made anew where a file is loaded:
/// the file holds the plain weight, once, whose memory `plain` shares.
jit::Module make_packed(const ModuleMaker& maker, const UnitOptions& o,
                        const torch::Tensor& weight) {
  constexpr int64_t kAnySize = 28;  // without one, oneDNN takes the plain layout
  jit::Module module = maker.make("PackedWeight");
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
                  static_cast<int>(torch::MemoryFormat::ChannelsLast), geometry(o), o.in_channels,
                  kAnySize, kAnySize),
      std::make_shared<OneDnnResolver>());
  return module;
}

jit::Module make_unit(const ModuleMaker& maker, const UnitImpl& unit, TorchScriptForm form) {
  const UnitOptions& o = unit.options;
  jit::Module module = maker.make_parameters("Unit", unit);
  if (is_packed(o, form)) {
    const auto weight = module.attr("reparam_conv").toModule().attr("weight").toTensor();
    module.register_module("packed", make_packed(maker, o, weight));
  }
  std::string code = "def forward(self, x: Tensor) -> Tensor:\n" + convolution_code(o, form);
  if (o.se) {
    code +=
        "    s = torch.mean(x, [2, 3], True)\n"
        "    s = torch.relu(torch.conv2d(s, self.se.reduce.weight, self.se.reduce.bias))\n"
        "    s = torch.conv2d(s, self.se.expand.weight, self.se.expand.bias)\n"
        "    x = torch.relu(x * torch.sigmoid(s))\n";
  }
  module.define(code + "    return x\n", std::make_shared<OneDnnResolver>());
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

/// Normalisation of images [N,H,W,C]: code, and the constants that it uses. Numbers are written as
/// ScalarType, as in all TorchScript files.
std::string prepare_images(jit::Module& module, const LevelNorm& norm, torch::ScalarType type) {
  const int64_t channels = norm.mean.size(0);
  module.register_buffer("mean_levels", norm.mean);
  module.register_buffer("std_levels", norm.std);
  return fmt::format(
      "    assert x.dtype == {} and x.dim() == 4 and x.size(3) == {}, "
      "\"expected images as uint8 [N,H,W,{}]\"\n"
      "    x = torch.to(torch.permute(x, [0, 3, 1, 2]), {})\n"
      "    x = torch.to((x - self.mean_levels) / self.std_levels, {})\n",
      static_cast<int>(torch::kByte), channels, channels, static_cast<int>(torch::kFloat32),
      static_cast<int>(type));
}

}  // namespace

jit::Module to_torchscript(const MobileOne& folded, TorchScriptForm form,
                           const std::optional<LevelNorm>& inside) {
  const bool half = folded->parameters().front().scalar_type() == torch::kHalf;
  if (form == TorchScriptForm::kPacked && half) form = TorchScriptForm::kFused;
  const ModuleMaker maker;
  jit::Module top = maker.make("MobileOne");
  std::string code = "def forward(self, x: Tensor) -> Tensor:\n";
  if (inside) {
    code += prepare_images(top, *inside, folded->parameters().front().scalar_type());
  }
  auto unit = folded->units().begin();
  const auto next_unit = [&] { return make_unit(maker, **unit++, form); };
  const std::string stem = (*unit)->options.name;
  top.register_module(stem, next_unit());
  // Channels last: what oneDNN's kernels of both kinds of convolution take as it is.
  code += fmt::format("    x = torch.contiguous(x, memory_format={})\n",
                      static_cast<int>(torch::MemoryFormat::ChannelsLast));
  code += fmt::format("    x = self.{}.forward(x)\n", stem);
  for (size_t s = 0; s < folded->options.stages.size(); ++s) {
    jit::Module stage = maker.make("Stage");
    std::string stage_code = "def forward(self, x: Tensor) -> Tensor:\n";
    for (int64_t i = 0; i < 2 * folded->options.stages[s].blocks; ++i) {
      stage.register_module(std::to_string(i), next_unit());
      stage_code += fmt::format("    x = getattr(self, \"{}\").forward(x)\n", i);
    }
    stage.define(stage_code + "    return x\n");
    top.register_module(fmt::format("stage{}", s + 1), stage);
    code += fmt::format("    x = self.stage{}.forward(x)\n", s + 1);
  }
  top.register_module("linear", maker.make_parameters("Linear", *folded->linear()));
  code +=
      "    x = torch.mean(x, [2, 3])\n"
      "    x = torch.linear(x, self.linear.weight, self.linear.bias)\n";
  if (inside) {
    code += fmt::format("    x = torch.softmax(torch.to(x, {}), 1)\n",
                        static_cast<int>(torch::kFloat32));
  }
  top.define(code + "    return x\n");
  return top;
}

namespace {

/// What a consumer needs besides the network, as attributes: no JSON reader is asked of it.
std::vector<std::string> add_attributes(jit::Module& module, const Checkpoint& checkpoint,
                                        Preprocessing preprocessing) {
  const DataConfig& data = checkpoint.config.data;
  const auto add = [&](const std::string& name, const c10::TypePtr& type, c10::IValue value) {
    module.register_attribute(name, type, std::move(value));
    return name;
  };
  const auto doubles = c10::ListType::create(c10::FloatType::get());
  const auto strings = c10::ListType::create(c10::StringType::get());
  std::vector<std::string> names{
      add("class_names", strings, c10::List<std::string>(checkpoint.class_names)),
      add("resize", c10::IntType::get(), data.eval_resize),
      add("crop", c10::IntType::get(), data.eval_crop),
      add("interpolation", c10::StringType::get(), std::string(to_string(data.interpolation)))};
  if (preprocessing == Preprocessing::kOutside) {
    names.push_back(add("mean", doubles, c10::List<double>(data.mean)));
    names.push_back(add("std", doubles, c10::List<double>(data.std)));
  }
  return names;
}

/// How far the outputs of the written network are from those of `folded`.
Difference compare(MobileOne folded, jit::Module& written, const std::optional<LevelNorm>& inside,
                   int64_t size) {
  if (!inside) {
    const auto x = seeded_input(folded, 2, size);
    return largest_difference(folded->forward(x), written.forward({x}).toTensor());
  }
  const int64_t channels = inside->mean.size(0);
  const auto images = torch::arange(2 * size * size * channels)
                          .remainder(256)
                          .to(torch::kByte)
                          .view({2, size, size, channels});
  const auto x = (images.permute({0, 3, 1, 2}).to(torch::kFloat32) - inside->mean) / inside->std;
  const auto logits = folded->forward(x.to(folded->parameters().front().scalar_type()));
  return largest_difference(logits.to(torch::kFloat32).softmax(1),
                            written.forward({images}).toTensor());
}

}  // namespace

Difference export_torchscript(const MobileOne& folded, const Checkpoint& checkpoint,
                              const std::string& source, const std::filesystem::path& path,
                              const TorchScriptOptions& options) {
  torch::NoGradGuard no_grad;
  const DataConfig& data = checkpoint.config.data;
  std::optional<LevelNorm> inside;
  if (options.preprocessing == Preprocessing::kInside) inside = level_norm(data);
  const TorchScriptForm form = options.portable ? TorchScriptForm::kPortable
                               : options.frozen ? TorchScriptForm::kFused
                                                : TorchScriptForm::kPacked;
  jit::Module module = to_torchscript(folded, form, inside);
  const auto attributes = add_attributes(module, checkpoint, options.preprocessing);
  if (options.frozen) module = jit::freeze(module, attributes);
  const auto type = folded->parameters().front().scalar_type();
  Difference difference;
  write_whole(path, [&](const std::filesystem::path& temporary) {
    save_archive(
        module, temporary,
        {{kConfigFile, to_yaml(checkpoint.config)},
         {kDescriptionFile, description(folded, checkpoint, source, options.preprocessing)}});
    TorchScriptModel reloaded = load_torchscript(temporary);
    difference = compare(folded, reloaded.module, inside, data.eval_crop);
    if (!agrees(difference, type) && !options.unchecked) {
      throw Error(
          "{}: the exported file's output differs from the network's by {} (at most {:.2g} "
          "expected); nothing was written",
          path.string(), to_string(difference), allowed_difference(difference, type));
    }
  });
  return difference;
}

TorchScriptModel load_torchscript(const std::filesystem::path& path) {
  check_sums(path);
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
    model.config = parse_config(extra_files[kConfigFile], path.string() + " > config.yaml");
  }
  model.interface = described_interface(extra_files[kDescriptionFile]);
  model.class_names = described_class_names(extra_files[kDescriptionFile]);
  return model;
}

}  // namespace mobileone
