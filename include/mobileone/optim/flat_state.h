#pragma once

#include <torch/nn/module.h>

#include <string>
#include <vector>

#include "mobileone/model/state_dict.h"

namespace mobileone {

/// A module's trained parameters (those that require gradients), their gradients and its
/// floating-point buffers, each laid end to end in one tensor, so that SGD, the moving average and
/// clipping are a few passes over memory and not thousands of small operations. The module's own
/// tensors become views of these; the module must stay on its device and in its dtype from then on.
class FlatState {
 public:
  explicit FlatState(torch::nn::Module& module);

  /// [P]: weights of convolutions and linear layers first, then norms and biases.
  torch::Tensor parameters;
  /// [P], in the order of `parameters`; what backward adds to.
  torch::Tensor gradients;
  /// [B]: running means and variances.
  torch::Tensor buffers;
  /// How many leading elements of `parameters` are weights.
  int64_t weight_count = 0;

  /// A tensor laid out as `parameters`, as views under the parameters' names.
  StateDict named_parameters(const torch::Tensor& flat) const;
  /// The module's whole state with other values: trained parameters and floating-point buffers from
  /// the flat tensors, the rest (frozen parameters, counters) the module's own. In the order of
  /// `state_dict(module)`.
  StateDict named_state(const torch::Tensor& flat_parameters,
                        const torch::Tensor& flat_buffers) const;

  /// Where a tensor lies in a flat one.
  struct Slot {
    std::string name;
    int64_t offset;
    std::vector<int64_t> sizes;
  };
  /// The parameters', in the order of `parameters`.
  const std::vector<Slot>& parameter_slots() const { return parameter_slots_; }

 private:
  torch::Tensor lay_out(const std::vector<std::pair<std::string, torch::Tensor>>& tensors,
                        std::vector<Slot>& slots);

  StateDict module_state_;
  std::vector<Slot> parameter_slots_, buffer_slots_;
};

}  // namespace mobileone
