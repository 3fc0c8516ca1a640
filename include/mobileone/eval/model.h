#pragma once

#include <torch/types.h>

#include <array>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "mobileone/config/config.h"

namespace mobileone {

/// Any network file of ours, ready to run: a checkpoint (unfolded or folded), TorchScript or ONNX.
struct Model {
  std::string origin;  ///< the file
  std::string form;    ///< "unfolded", "folded", "TorchScript" or "ONNX"
  /// float32 [N,3,H,W], normalised, on `device` → logits [N,classes].
  std::function<torch::Tensor(const torch::Tensor&)> forward;
  bool exported = false;  ///< computes in the precision that it was exported in, in no other
  std::vector<torch::Tensor> buffers;  ///< running statistics: no parameters
  torch::Device device = torch::kCPU;
  std::vector<std::string> class_names;  ///< empty if the file names none
  Config config;                         ///< `data` says how images are prepared
};

/// Loads by content, but ONNX by its ending, .onnx. A checkpoint's moving average is taken where it has one, unless
/// `raw_weights`. ONNX is computed on the CPU, by ONNX Runtime on as many threads as LibTorch now
/// has. Throws Error if the file is none of these or damaged.
Model load_model(const std::filesystem::path& path, torch::Device device, bool raw_weights = false);

/// A checkpoint as `load_model` takes it, on the CPU, its branches folded.
Model load_folded_model(const std::filesystem::path& checkpoint);

/// What runs networks.
enum class InferenceRuntime { kLibTorch, kOnnxRuntime };
inline constexpr auto enum_names(InferenceRuntime) {
  return std::array<EnumName<InferenceRuntime>, 2>{
      {{InferenceRuntime::kLibTorch, "libtorch"}, {InferenceRuntime::kOnnxRuntime, "onnxruntime"}}};
}

/// A network to measure, on the CPU: a file as `load_model` takes it, an ONNX file, which ONNX
/// Runtime computes on as many threads as LibTorch now has, or a variant with random weights: "s0",
/// folded and as `export` writes it, or "s0:unfolded". With `kOnnxRuntime` variants and checkpoints
/// are folded and computed by it, too.
Model measured_model(const std::string& what,
                     InferenceRuntime runtime = InferenceRuntime::kLibTorch);

}  // namespace mobileone
