#include "mobileone/eval/model.h"

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/checkpoint/torch_file.h"
#include "mobileone/export/torchscript.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

Model torchscript_model(const std::filesystem::path& path, torch::Device device) {
  auto loaded = std::make_shared<TorchScriptModel>(load_torchscript(path));
  if (loaded->interface.preprocessing == Preprocessing::kInside) {
    throw Error(
        "{}: takes uint8 images and gives probabilities, expected normalised images and logits; "
        "use the file that `mobileone export` writes without --with-preprocessing",
        path.string());
  }
  loaded->module.to(device);
  Model model;
  for (const auto& buffer : loaded->module.buffers()) model.buffers.push_back(buffer);
  model.form = "TorchScript";
  model.config = loaded->config;
  model.class_names = loaded->class_names;
  const bool half = loaded->interface.type == ExportType::kFloat16;
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

Model checkpoint_model(const std::filesystem::path& path, torch::Device device, bool raw_weights) {
  const Checkpoint checkpoint = load_checkpoint(path);
  auto network = make_network(checkpoint, path.string(), !raw_weights);
  network->to(device, torch::kFloat32);
  Model model;
  model.form = checkpoint.folded() ? "folded" : "unfolded";
  model.config = checkpoint.config;
  model.class_names = checkpoint.class_names;
  run(network, model);
  return model;
}

/// "s0", "s0:unfolded"; nothing of any other text.
std::optional<Model> variant_model(const std::string& what) {
  constexpr std::string_view kUnfolded = ":unfolded";
  std::string_view name = what;
  const bool unfolded = name.ends_with(kUnfolded);
  if (unfolded) name.remove_suffix(kUnfolded.size());
  const auto variant = from_string<Variant>(name);
  if (!variant) return std::nullopt;
  Model model;
  model.origin = what;
  model.form = unfolded ? "unfolded" : "folded";
  model.config.model.variant = *variant;
  NetworkOptions options = network_options(model.config.model);
  options.folded = !unfolded;
  MobileOne network(options);
  network->eval();
  run(network, model);
  return model;
}

}  // namespace

Model load_model(const std::filesystem::path& path, torch::Device device, bool raw_weights) {
  if (path.extension() == ".onnx") {
    throw Error(
        "{}: expected a checkpoint or TorchScript; ONNX is run by "
        "`python scripts/evaluate_onnx.py`",
        path.string());
  }
  Model model = is_torchscript_file(path) ? torchscript_model(path, device)
                                          : checkpoint_model(path, device, raw_weights);
  model.origin = path.string();
  model.device = device;
  return model;
}

Model measured_model(const std::string& what) {
  if (auto model = variant_model(what)) return *std::move(model);
  if (!std::filesystem::exists(what)) {
    throw Error("{}: is no such file and no variant (s0, s1, s2, s3, s4, or s0:unfolded)", what);
  }
  return load_model(what, torch::kCPU);
}

}  // namespace mobileone
