#pragma once

#include <ATen/core/Tensor.h>
#include <torch/ordered_dict.h>

#include <filesystem>
#include <map>
#include <string>

namespace mobileone {

using Metadata = std::map<std::string, std::string>;

/// Reads a safetensors file (Hugging Face's format description): dtypes
/// F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL. The tensors, which are contiguous and on the CPU, come
/// in the order in which they lie in the file. Fills `metadata` if it is given.
///
/// Throws Error in one line that names the file and the tensor: no such file, a header that is cut
/// off or no JSON, an unknown dtype, a size that does not fit dtype and shape, gaps or overlaps.
torch::OrderedDict<std::string, at::Tensor> read_safetensors(const std::filesystem::path& path,
                                                             Metadata* metadata = nullptr);

/// Writes what `read_safetensors` and Python's safetensors read, whole or not at all (see
/// write_whole). The order of `tensors` is kept; they may be on any device. Throws Error naming the
/// path, or the tensor whose dtype the format lacks.
void write_safetensors(const std::filesystem::path& path,
                       const torch::OrderedDict<std::string, at::Tensor>& tensors,
                       const Metadata& metadata = {});

}  // namespace mobileone
