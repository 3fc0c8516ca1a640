#pragma once

#include <torch/nn/module.h>
#include <torch/ordered_dict.h>

#include <string>

namespace mobileone {

/// Tensors by name, in PyTorch's order: each module's own parameters, its own buffers, then its
/// children.
using StateDict = torch::OrderedDict<std::string, torch::Tensor>;

/// Parameters and buffers of a module; the tensors share memory with it and carry no gradient.
StateDict state_dict(const torch::nn::Module& module);

/// Copies `state` into the module's parameters and buffers (dtype and device are converted).
/// Throws Error naming every missing, unexpected and wrongly shaped tensor; `origin` says where
/// `state` comes from. Nothing is changed then.
void load_state_dict(torch::nn::Module& module, const StateDict& state, const std::string& origin);

}  // namespace mobileone
