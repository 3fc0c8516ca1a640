#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mobileone {

/// What all calls of one operator cost in a forward pass.
struct OperatorCounts {
  std::string name;  ///< "aten::conv2d"
  int64_t calls = 0;
  int64_t macs = 0;         ///< multiply-adds of convolutions and matrix products
  int64_t parameters = 0;   ///< elements of weights that are first used here
  int64_t activations = 0;  ///< elements that convolutions and matrix products put out
  int64_t bytes = 0;        ///< of the tensors that a call reads and writes, each once
  bool known = true;        ///< false: it may multiply, which is not counted
};

/// Counts the operators that LibTorch dispatches, on this thread, while `forward` runs on `input`;
/// in order of first call. An operator made of others counts as itself where its multiply-adds are
/// known ("aten::linear"), and else as its parts. Views and what only allocates cost nothing and
/// are left out. Weights are tensors that neither `input` nor an operator made, without `buffers`.
/// Runs `forward` three times, without gradients, and counts in the last: TorchScript rewrites its
/// code in the first two.
std::vector<OperatorCounts> count_operators(
    const std::function<torch::Tensor(const torch::Tensor&)>& forward, const torch::Tensor& input,
    const std::vector<torch::Tensor>& buffers = {});

/// The sum; name "total", known if all are.
OperatorCounts total_counts(const std::vector<OperatorCounts>& operators);

}  // namespace mobileone
