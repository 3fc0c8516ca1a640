#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>

namespace mobileone {

/// Whether this program was built with ONNX Runtime.
bool has_onnx_runtime();

/// The bytes of an ONNX file as a function that ONNX Runtime computes on `threads` threads of the
/// CPU: one input, float32 [N,3,H,W] → its first output, float32. `origin` names the file in
/// errors. Throws Error if the file is damaged or has other inputs, or without ONNX Runtime; the
/// function throws Error if the network cannot compute an input.
std::function<torch::Tensor(const torch::Tensor&)> onnx_function(const std::string& bytes,
                                                                 const std::string& origin,
                                                                 int64_t threads);

}  // namespace mobileone
