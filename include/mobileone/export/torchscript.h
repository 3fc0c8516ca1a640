#pragma once

#include <torch/csrc/jit/api/module.h>

#include <filesystem>
#include <optional>

#include "mobileone/export/package.h"

namespace mobileone {

/// A TorchScript file and what its extra files say: config.yaml and mobileone.json. A file of
/// others has neither: then `config` and `description` hold defaults.
struct TorchScriptModel {
  torch::jit::Module module;
  Config config;
  Description description;
};

/// What a convolution is.
enum class TorchScriptForm {
  kPortable,  ///< operators that every build of LibTorch has
  kFused,     ///< oneDNN's operator of convolution, bias and ReLU
  kPacked     ///< the same, with depthwise weights that are laid out for it when a file is loaded
};

/// A network as branchless TorchScript: submodules under Apple's folded keys, forward code of a few
/// readable lines per unit; any batch and image size. The weights are copied, in numbers of `type`.
/// A packed network is packed once it was saved and loaded; float16 is fused instead.
torch::jit::Module to_torchscript(const graph::Graph& graph, TorchScriptForm form,
                                  ExportType type = ExportType::kFloat32);

/// Writes a network with its configuration and description; what a consumer needs are attributes of
/// the module, too: class_names, resize, crop, interpolation and, unless preprocessing is inside,
/// mean and std. The file is written whole, loaded back and compared on fixed input before it takes
/// its name. Returns that difference (see `compare`); throws Error if it is more than `agrees`
/// allows, unless `options.unchecked`.
std::optional<Difference> export_torchscript(const Package& package,
                                             const std::filesystem::path& path,
                                             const FormatOptions& options = {});

/// Reading runs code of the file, too. Throws Error if the file is missing, damaged (see
/// check_sums) or no TorchScript archive.
TorchScriptModel load_torchscript(const std::filesystem::path& path);

}  // namespace mobileone
