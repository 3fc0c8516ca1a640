#pragma once

#include <filesystem>

#include "mobileone/checkpoint/value.h"

namespace mobileone {

/// Reads any file that holds weights, told by its content and not by its name: what `torch.save`
/// or `torch.jit.save` writes (see torch_file.h), or safetensors, of which it gives a dict of the
/// tensors and, where the file has any, the metadata as a dict of texts under "__metadata__".
///
/// Throws Error in one line that names the file.
Value read_weights_file(const std::filesystem::path& path);

}  // namespace mobileone
