#include "mobileone/export/torchscript.h"

#include <torch/csrc/jit/serialization/export.h>
#include <torch/csrc/jit/serialization/import.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "attributes.h"
#include "mobileone/checkpoint/torch_file.h"
#include "mobileone/checkpoint/weights_file.h"
#include "mobileone/config/reader.h"
#include "mobileone/config/writer.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "tensors.h"

namespace mobileone {
namespace jit = torch::jit;
namespace {

/// By way of memory: LibTorch's own file writer ends the process where the disk is full.
void save_archive(const jit::Module& module, const std::filesystem::path& path,
                  const jit::ExtraFilesMap& extra_files) {
  std::ostringstream bytes;
  module.save(bytes, extra_files);
  std::ofstream stream(path, std::ios::binary);
  stream << bytes.view() << std::flush;
  if (!stream) throw Error("{}: cannot be written: {}", path.string(), std::strerror(errno));
}

/// Registers a value as an attribute of a module.
struct AddAttribute {
  jit::Module& module;
  const std::string& name;

  void operator()(int64_t value) { add(c10::IntType::get(), value); }
  void operator()(const std::string& value) { add(c10::StringType::get(), value); }
  void operator()(const std::vector<double>& values) {
    add(c10::ListType::create(c10::FloatType::get()), c10::List<double>(values));
  }
  void operator()(const std::vector<std::string>& values) {
    add(c10::ListType::create(c10::StringType::get()), c10::List<std::string>(values));
  }

 private:
  void add(const c10::TypePtr& type, c10::IValue value) {
    module.register_attribute(name, type, std::move(value));
  }
};

jit::Module described_module(const Package& package, const FormatOptions& options) {
  const TorchScriptForm form = options.portable ? TorchScriptForm::kPortable
                               : options.frozen ? TorchScriptForm::kFused
                                                : TorchScriptForm::kPacked;
  jit::Module module = to_torchscript(package.graph, form, package.description.interface.type);
  std::vector<std::string> names;
  for (const auto& [name, value] : attributes_of(package)) {
    std::visit(AddAttribute{module, name}, value);
    names.push_back(name);
  }
  return options.frozen ? jit::freeze(module, names) : module;
}

}  // namespace

std::optional<Difference> export_torchscript(const Package& package,
                                             const std::filesystem::path& path,
                                             const FormatOptions& options) {
  torch::NoGradGuard no_grad;
  const jit::Module module = described_module(package, options);
  const auto type = scalar_type(package.description.interface.type);
  Difference difference;
  write_whole(path, [&](const std::filesystem::path& temporary) {
    save_archive(
        module, temporary,
        {{kConfigFile, to_yaml(package.config)}, {kDescriptionFile, to_json(package.description)}});
    jit::Module reloaded = load_torchscript(temporary).module;
    difference = compare(package, [&](const torch::Tensor& x) {
      const auto outputs = reloaded.forward({x});
      return outputs.isTuple() ? outputs.toTuple()->elements()[0].toTensor() : outputs.toTensor();
    });
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
  model.description = from_json(extra_files[kDescriptionFile]);
  return model;
}

}  // namespace mobileone
