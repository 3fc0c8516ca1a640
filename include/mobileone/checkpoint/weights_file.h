#pragma once

#include <filesystem>

#include "mobileone/checkpoint/value.h"

namespace mobileone {

/// Extra files of the TorchScript that `mobileone export` writes: configuration and description.
inline constexpr const char* kConfigFile = "config.yaml";
inline constexpr const char* kDescriptionFile = "mobileone.json";

/// Texts beside the tensors of safetensors and TorchScript, and what this program writes there: its
/// configuration as YAML, class names as a JSON list.
inline constexpr const char* kMetadataEntry = "__metadata__";
inline constexpr const char* kConfigKey = "mobileone_config";
inline constexpr const char* kClassNamesKey = "mobileone_class_names";

/// Reads any file that holds weights, told by its content and not by its name: what `torch.save`
/// or `torch.jit.save` writes (see torch_file.h), or safetensors, of which it gives a dict of the
/// tensors and, where the file has any, the metadata as a dict of texts under "__metadata__". Of
/// TorchScript that `mobileone export` wrote it gives the same, and the network's tensors alone.
///
/// Throws Error in one line that names the file.
Value read_weights_file(const std::filesystem::path& path);

}  // namespace mobileone
