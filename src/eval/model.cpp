#include "mobileone/eval/model.h"

#include <memory>

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

Model checkpoint_model(const std::filesystem::path& path, torch::Device device, bool raw_weights) {
  const Checkpoint checkpoint = load_checkpoint(path);
  auto network = make_network(checkpoint, path.string(), !raw_weights);
  network->to(device, torch::kFloat32);
  Model model;
  model.form = checkpoint.folded() ? "folded" : "unfolded";
  model.config = checkpoint.config;
  model.class_names = checkpoint.class_names;
  model.forward = [network](const torch::Tensor& x) mutable { return network->forward(x); };
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

}  // namespace mobileone
