#include "mobileone/eval/model.h"

#include <ATen/Parallel.h>
#include <torch/csrc/jit/serialization/import.h>

#include <cmath>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/checkpoint/torch_file.h"
#include "mobileone/checkpoint/weights_file.h"
#include "mobileone/config/reader.h"
#include "mobileone/data/labels.h"
#include "mobileone/eval/onnx_model.h"
#include "mobileone/export/compare.h"
#include "mobileone/export/onnx.h"
#include "mobileone/export/torchscript.h"
#include "mobileone/model/lower.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/log.h"

namespace mobileone {
namespace {

void require_logits(const Description& description, const std::filesystem::path& path) {
  if (description.output == "classes") {
    throw Error(
        "{}: gives the classes of pixels, expected logits; use the file that `mobileone export` "
        "writes without --argmax",
        path.string());
  }
  if (description.interface.preprocessing == Preprocessing::kOutside) return;
  throw Error(
      "{}: takes uint8 images and gives {}, expected normalised images; use the file that "
      "`mobileone export` writes without --with-preprocessing",
      path.string(), description.output);
}

/// By ONNX Runtime on the CPU; a file of others has the defaults of `Config`.
Model onnx_model(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  auto metadata = onnx_metadata(bytes);
  const Description description = from_json(metadata[kDescriptionFile]);
  require_logits(description, path);
  Model model;
  model.form = "ONNX";
  model.exported = true;
  if (!metadata[kConfigFile].empty()) {
    model.config = parse_config(metadata[kConfigFile], path.string() + " > config.yaml");
  }
  model.class_names = description.class_names;
  model.forward = onnx_function(bytes, path.string(), at::get_num_threads());
  return model;
}

Model torchscript_model(const std::filesystem::path& path, torch::Device device) {
  auto loaded = std::make_shared<TorchScriptModel>(load_torchscript(path));
  require_logits(loaded->description, path);
  loaded->module.to(device);
  Model model;
  model.exported = true;
  for (const auto& buffer : loaded->module.buffers()) model.buffers.push_back(buffer);
  model.form = "TorchScript";
  model.config = loaded->config;
  model.class_names = loaded->description.class_names;
  const bool half = loaded->description.interface.type == ExportType::kFloat16;
  model.forward = [loaded, half, origin = path.string()](const torch::Tensor& x) {
    try {
      if (!half) return loaded->module.forward({x}).toTensor();
      return loaded->module.forward({x.to(torch::kHalf)}).toTensor().to(torch::kFloat32);
    } catch (const std::exception& error) {
      // The first line only points at the code; LibTorch puts what went wrong last.
      std::string message = error.what();
      while (!message.empty() && message.back() == '\n') message.pop_back();
      throw Error("{}: its forward failed: {}", origin, message.substr(message.rfind('\n') + 1));
    }
  };
  return model;
}

void run(MobileOne network, Model& model) {
  model.buffers = network->buffers();
  model.forward = [network](const torch::Tensor& x) mutable { return network->forward(x); };
}

enum class Branches { kAsTheyAre, kFolded };

Model checkpoint_model(const std::filesystem::path& path, torch::Device device,
                       std::optional<Weights> wanted, Branches branches = Branches::kAsTheyAre) {
  const Checkpoint checkpoint = load_checkpoint(path);
  const Weights taken = choose_weights(checkpoint, path.string(), wanted);
  auto network = make_network(checkpoint, path.string(), wanted);
  if (branches == Branches::kFolded) network = fold(network);
  network->to(device, torch::kFloat32);
  Model model;
  model.form = network->options.folded ? "folded" : "unfolded";
  if (!checkpoint.ema.is_empty()) model.weights = taken;
  model.config = checkpoint.config;
  model.class_names = checkpoint.class_names;
  run(network, model);
  return model;
}

/// Throws Error unless a TorchScript file is one that `mobileone export` wrote, with its weights
/// under their names, and undamaged.
void require_own_weights(const std::filesystem::path& path) {
  check_sums(path);
  if (!read_torchscript_extra_files(path).contains(kDescriptionFile)) {
    throw Error(
        "{}: is a TorchScript program that `mobileone export` did not write; if you trust who "
        "wrote it, --run-code runs it",
        path.string());
  }
}

/// Watches what a network gives.
std::function<torch::Tensor(const torch::Tensor&)> checked(
    std::function<torch::Tensor(const torch::Tensor&)> forward, const std::string& origin) {
  return [forward = std::move(forward), origin,
          warned = std::make_shared<std::once_flag>()](const torch::Tensor& images) {
    const auto logits = forward(images);
    if (!logits.is_floating_point() || logits.numel() == 0) return logits;
    const double largest = logits.abs().max().item<double>();
    const std::string odd = odd_logits(largest);
    if (!std::isfinite(largest))
      throw Error("{}: {}; nothing can be said of these images", origin, odd);
    if (!odd.empty()) std::call_once(*warned, [&] { log::warning("{}: {}", origin, odd); });
    return logits;
  };
}

struct NamedVariant {
  Config config;
  MobileOne network{nullptr};
};

/// "s0", "s0:unfolded" with random weights; nothing of any other text.
std::optional<NamedVariant> named_variant(const std::string& what) {
  constexpr std::string_view kUnfolded = ":unfolded";
  std::string_view name = what;
  const bool unfolded = name.ends_with(kUnfolded);
  if (unfolded) name.remove_suffix(kUnfolded.size());
  const auto variant = from_string<Variant>(name);
  if (!variant) return std::nullopt;
  NamedVariant named;
  named.config.model.variant = *variant;
  NetworkOptions options = network_options(named.config.model);
  options.folded = !unfolded;
  named.network = MobileOne(options);
  named.network->eval();
  return named;
}

Model variant_model(NamedVariant named) {
  Model model;
  model.config = named.config;
  if (!named.network->options.folded) {
    model.form = "unfolded";
    run(named.network, model);
    return model;
  }
  model.form = "folded";
  std::stringstream file;
  to_torchscript(lower(named.network), TorchScriptForm::kPacked).save(file);
  auto exported = std::make_shared<torch::jit::Module>(torch::jit::load(file));
  model.forward = [exported](const torch::Tensor& x) { return exported->forward({x}).toTensor(); };
  return model;
}

/// What `export` makes of a variant or a checkpoint, by ONNX Runtime.
Model exported_onnx(const std::string& what) {
  Checkpoint checkpoint;
  MobileOne network(nullptr);
  if (auto named = named_variant(what)) {
    checkpoint.config = named->config;
    network = named->network;
  } else if (is_torchscript_file(what)) {
    throw Error(
        "{}: is TorchScript, which ONNX Runtime does not run; give its checkpoint, or what "
        "`mobileone export` writes as .onnx",
        what);
  } else {
    checkpoint = load_checkpoint(what);
    network = make_network(checkpoint, what);
  }
  if (!network->options.folded) network = fold(network);
  Model model;
  model.config = checkpoint.config;
  model.forward =
      onnx_function(to_onnx(package(network, checkpoint, what, Preprocessing::kOutside)), what,
                    at::get_num_threads());
  return model;
}

}  // namespace

std::string class_name_of(const Model& model, int64_t index) {
  return index < static_cast<int64_t>(model.class_names.size()) ? model.class_names[index]
                                                                : std::to_string(index);
}

Model load_model(const std::filesystem::path& path, torch::Device device,
                 std::optional<Weights> wanted, ScriptCode code) {
  Model model;
  if (path.extension() == ".onnx") {
    model = onnx_model(path);
  } else {
    const bool script = is_torchscript_file(path);
    if (script && code == ScriptCode::kLeave) require_own_weights(path);
    model = script && code == ScriptCode::kRun ? torchscript_model(path, device)
                                               : checkpoint_model(path, device, wanted);
    model.device = device;
  }
  model.origin = path.string();
  for (auto& name : model.class_names) name = legible_name(name);
  model.forward = checked(std::move(model.forward), model.origin);
  return model;
}

Model load_folded_model(const std::filesystem::path& checkpoint) {
  Model model = checkpoint_model(checkpoint, torch::kCPU, /*wanted=*/{}, Branches::kFolded);
  model.origin = checkpoint.string();
  model.forward = checked(std::move(model.forward), model.origin);
  return model;
}

Model measured_model(const std::string& what, InferenceRuntime runtime) {
  auto named = named_variant(what);
  if (!named && !std::filesystem::exists(what)) {
    throw Error("{}: is no such file and no variant (s0, s1, s2, s3, s4, or s0:unfolded)", what);
  }
  const std::string file = named ? what : network_file(what).string();
  Model model;
  if (std::filesystem::path(file).extension() == ".onnx") {
    model.forward = onnx_function(read_file(file), file, at::get_num_threads());
    model.form = "ONNX";
  } else if (runtime == InferenceRuntime::kOnnxRuntime) {
    model = exported_onnx(file);
    model.form = "ONNX";
  } else {
    model = named ? variant_model(*std::move(named))
                  : load_model(file, torch::kCPU, /*wanted=*/{}, ScriptCode::kRun);
  }
  model.origin = what;
  return model;
}

}  // namespace mobileone
