#pragma once

#include <filesystem>
#include <string>

#include "mobileone/export/onnx.h"
#include "mobileone/export/torchscript.h"
#include "mobileone/model/lower.h"

namespace mobileone {

// What the writers make of a network, with preprocessing outside unless it is said.

inline torch::jit::Module to_torchscript(const MobileOne& folded, TorchScriptForm form) {
  return to_torchscript(lower(folded), form);
}

inline Difference export_torchscript(const MobileOne& folded, const Checkpoint& checkpoint,
                                     const std::string& source, const std::filesystem::path& path,
                                     const FormatOptions& options = {}) {
  return *export_torchscript(package(folded, checkpoint, source, Preprocessing::kOutside), path,
                             options);
}

inline std::string to_onnx(const MobileOne& folded, const Checkpoint& checkpoint,
                           const std::string& source, Preprocessing preprocessing) {
  return to_onnx(package(folded, checkpoint, source, preprocessing));
}

inline void export_onnx(const MobileOne& folded, const Checkpoint& checkpoint,
                        const std::string& source, const std::filesystem::path& path,
                        Preprocessing preprocessing) {
  export_onnx(package(folded, checkpoint, source, preprocessing), path);
}

inline std::string description(const MobileOne& folded, const Checkpoint& checkpoint,
                               const std::string& source, Preprocessing preprocessing) {
  return to_json(package(folded, checkpoint, source, preprocessing).description);
}

}  // namespace mobileone
