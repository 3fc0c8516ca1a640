#pragma once

#include <ATen/Context.h>
#include <torch/cuda.h>
#include <torch/types.h>

#include <vector>

namespace mobileone {

/// What the engine is tested on: the CPU and, where there is one, a CUDA device, whose float32 is
/// then not rounded to TF32.
inline std::vector<torch::Device> devices() {
  std::vector<torch::Device> all{torch::kCPU};
  if (torch::cuda::is_available()) {
    at::globalContext().setAllowTF32CuDNN(false);
    all.push_back(torch::kCUDA);
  }
  return all;
}

}  // namespace mobileone
