#pragma once

#include <array>
#include <string>
#include <vector>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/checkpoint/weights_file.h"

namespace mobileone {

enum class ExportFormat { kTorchScript, kOnnx };
enum class ExportType { kFloat32, kFloat16 };
inline constexpr auto enum_names(ExportFormat) {
  return std::array<EnumName<ExportFormat>, 2>{
      {{ExportFormat::kTorchScript, "torchscript"}, {ExportFormat::kOnnx, "onnx"}}};
}
inline constexpr auto enum_names(ExportType) {
  return std::array<EnumName<ExportType>, 2>{
      {{ExportType::kFloat32, "float32"}, {ExportType::kFloat16, "float16"}}};
}

/// Where an exported network's images become tensors. Outside: it takes normalised images
/// [N,C,H,W] of its own type and gives logits of that type. Inside: it takes resized and cropped
/// images, uint8 [N,H,W,C] of RGB or grey, normalises them in float32, and gives probabilities,
/// float32.
enum class Preprocessing { kOutside, kInside };

/// The folded network in evaluation mode with numbers of `type`. Throws Error naming a weight that
/// float16 cannot hold; `origin` says where the network comes from.
MobileOne fold_for_export(const MobileOne& network, ExportType type, const std::string& origin);

/// What normalisation inside a network subtracts from the 256 levels and divides by: float32
/// [C,1,1] each.
struct LevelNorm {
  torch::Tensor mean, std;
};

LevelNorm level_norm(const DataConfig& data);

/// What an exported file carries as `mobileone.json`: class names, preprocessing, input and output,
/// counts, accuracies and origin of `folded`, which comes from `checkpoint` (the file `source`).
std::string description(const MobileOne& folded, const Checkpoint& checkpoint,
                        const std::string& source, Preprocessing preprocessing);

/// What a network takes: images where preprocessing is inside, else tensors of `type`.
struct ExportInterface {
  ExportType type = ExportType::kFloat32;
  Preprocessing preprocessing = Preprocessing::kOutside;
};

/// What a description says of that; the default where it says nothing or is none of ours.
ExportInterface described_interface(const std::string& description);

/// The class names that a description has; empty where it has none or is none of ours.
std::vector<std::string> described_class_names(const std::string& description);

}  // namespace mobileone
