#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "mobileone/export/package.h"

namespace mobileone {

/// A network as the bytes of an ONNX file (opset 17), for any batch, height and width. Nodes and
/// initializers are named by Apple's folded keys, inputs and outputs as in the graph (`images`,
/// `logits`). As metadata_props, by the names of a TorchScript file's attributes and extra files:
/// class_names, resize, crop, interpolation, mean, std (lists as JSON; mean and std only where
/// preprocessing is outside), config.yaml and mobileone.json.
std::string to_onnx(const Package& package);

/// Writes that to a file, whole or not at all. It is not run. Throws Error naming the path.
std::optional<Difference> export_onnx(const Package& package, const std::filesystem::path& path,
                                      const FormatOptions& options = {});

/// The metadata_props of an ONNX file's bytes. Damage is left to the runtime: what precedes it is
/// returned.
std::map<std::string, std::string> onnx_metadata(std::string_view bytes);

}  // namespace mobileone
