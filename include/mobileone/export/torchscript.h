#pragma once

#include <torch/csrc/jit/api/module.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/export/compare.h"
#include "mobileone/export/interface.h"

namespace mobileone {

/// A TorchScript file and what its extra files say: config.yaml (preprocessing and provenance) and
/// mobileone.json (class names, variant, counts). A file of others has neither: then `config` holds
/// defaults and `class_names` is empty.
struct TorchScriptModel {
  torch::jit::Module module;
  Config config;
  std::vector<std::string> class_names;
  ExportInterface interface;
};

/// How a network is written as TorchScript.
struct TorchScriptOptions {
  Preprocessing preprocessing = Preprocessing::kOutside;
  bool frozen = false;  ///< weights become constants of the code
  /// Only operators that every build of LibTorch has. Without, convolution, bias and ReLU are one
  /// operator of oneDNN on a CPU in float32, where no gradient is asked for; builds without oneDNN
  /// cannot load that.
  bool portable = false;
  bool unchecked = false;  ///< written even if it does not agree with the network
};

/// What a unit's convolution is.
enum class TorchScriptForm {
  kPortable,  ///< operators that every build of LibTorch has
  kFused,     ///< oneDNN's operator of convolution, bias and ReLU
  kPacked     ///< the same, with depthwise weights that are laid out for it when a file is loaded
};

/// A folded network as branchless TorchScript: submodules under Apple's folded keys, forward code
/// of a few readable lines per unit; any batch and image size. With `inside` it normalises uint8
/// [N,H,W,3] by that and gives probabilities. The weights are copied. A packed network is packed
/// once it was saved and loaded; float16 is fused instead.
torch::jit::Module to_torchscript(const MobileOne& folded, TorchScriptForm form,
                                  const std::optional<LevelNorm>& inside = std::nullopt);

/// Writes `folded`, of float32 or float16, which comes from `checkpoint` (the file `source`), with
/// its description; what a consumer needs are attributes of the module, too: class_names, resize,
/// crop, interpolation and, unless preprocessing is inside, mean and std. The file is written
/// whole, loaded back and compared on fixed input before it takes its name. Returns that difference
/// of logits (of probabilities, with preprocessing inside); throws Error if the two do not agree
/// (see compare.h).
Difference export_torchscript(const MobileOne& folded, const Checkpoint& checkpoint,
                              const std::string& source, const std::filesystem::path& path,
                              const TorchScriptOptions& options = {});

/// Reading runs code of the file, too. Throws Error if the file is missing, damaged (see
/// check_sums) or no TorchScript archive.
TorchScriptModel load_torchscript(const std::filesystem::path& path);

}  // namespace mobileone
