#pragma once

#include <torch/types.h>

#include <array>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/config/config.h"

namespace mobileone {

/// Any network file, ready to run: weights (unfolded or folded), TorchScript or ONNX.
struct Model {
  std::string origin;  ///< the file
  std::string form;    ///< "unfolded", "folded", "TorchScript" or "ONNX"
  /// float32 [N,C,H,W], normalised, on `device` → logits [N,classes].
  std::function<torch::Tensor(const torch::Tensor&)> forward;
  bool exported = false;  ///< computes in the precision that it was exported in, in no other
  std::vector<torch::Tensor> buffers;  ///< running statistics: no parameters
  torch::Device device = torch::kCPU;
  std::optional<Weights> weights = {};   ///< taken of a checkpoint that holds both sets
  std::vector<std::string> class_names;  ///< empty if the file names none
  Config config;                         ///< `data` says how images are prepared
};

/// The name of a class; its number where the model names none.
std::string class_name_of(const Model& model, int64_t index);

/// What is done with the code in a TorchScript file.
enum class ScriptCode {
  kLeave,  ///< of what `mobileone export` wrote the weights are taken; other files are refused
  kRun     ///< it is run, whoever wrote it
};

/// Loads by content, but ONNX by its ending, .onnx. Of a checkpoint's weights the set is taken that
/// is `wanted`, or the better one (see choose_weights). ONNX is computed on the CPU, by ONNX
/// Runtime on as many threads as LibTorch now has. Every logit that comes out is checked to be
/// finite, and a warning is given once if they are far larger than a trained network's. Throws
/// Error if the file is none of these or damaged, or if its weights are unsound
/// (checkpoint/numbers.h).
Model load_model(const std::filesystem::path& path, torch::Device device,
                 std::optional<Weights> wanted = {}, ScriptCode code = ScriptCode::kLeave);

/// A checkpoint as `load_model` takes it, on the CPU, its branches folded.
Model load_folded_model(const std::filesystem::path& checkpoint);

/// What runs networks.
enum class InferenceRuntime { kLibTorch, kOnnxRuntime };
inline constexpr auto enum_names(InferenceRuntime) {
  return std::array<EnumName<InferenceRuntime>, 2>{
      {{InferenceRuntime::kLibTorch, "libtorch"}, {InferenceRuntime::kOnnxRuntime, "onnxruntime"}}};
}

/// A network to measure, on the CPU: a file as `load_model` takes it, the code of TorchScript run,
/// an ONNX file, which ONNX Runtime computes on as many threads as LibTorch now has, or a variant
/// with random weights: "s0", folded and as `export` writes it, or "s0:unfolded". With
/// `kOnnxRuntime` variants and checkpoints are folded and computed by it, too.
Model measured_model(const std::string& what,
                     InferenceRuntime runtime = InferenceRuntime::kLibTorch);

}  // namespace mobileone
