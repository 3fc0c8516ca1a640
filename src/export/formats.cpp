#include "mobileone/export/formats.h"

#include "mobileone/export/onnx.h"
#include "mobileone/export/torchscript.h"

namespace mobileone {

const std::vector<Format>& formats() {
  static const std::vector<Format> formats = {
      {"torchscript", "TorchScript", ".pt", {"--freeze", "--portable"}, export_torchscript},
      {"onnx", "ONNX", ".onnx", {}, export_onnx},
  };
  return formats;
}

}  // namespace mobileone
