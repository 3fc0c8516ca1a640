#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "mobileone/export/interface.h"

namespace mobileone {

/// A folded network of float32 or float16 as the bytes of an ONNX file (opset 17), for any batch,
/// height and width. Nodes and initializers are named by Apple's folded keys; the input is
/// `images`, the output `logits` or, with preprocessing inside, `probabilities`. `checkpoint` (the
/// file `source`) is where it comes from. As metadata_props, by the names of a TorchScript file's
/// attributes and extra files: class_names, resize, crop, interpolation, mean, std (lists as JSON;
/// mean and std only where preprocessing is outside), config.yaml and mobileone.json.
std::string to_onnx(const MobileOne& folded, const Checkpoint& checkpoint,
                    const std::string& source, Preprocessing preprocessing);

/// Writes that to a file, whole or not at all. Throws Error naming the path.
void export_onnx(const MobileOne& folded, const Checkpoint& checkpoint, const std::string& source,
                 const std::filesystem::path& path, Preprocessing preprocessing);

/// The metadata_props of an ONNX file's bytes. Damage is left to the runtime: what precedes it is
/// returned.
std::map<std::string, std::string> onnx_metadata(std::string_view bytes);

}  // namespace mobileone
