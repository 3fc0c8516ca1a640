#pragma once

#include <torch/nn/module.h>
#include <torch/ordered_dict.h>

#include <functional>
#include <string>
#include <vector>

#include "mobileone/model/options.h"

namespace mobileone {

/// Tensors by name, in PyTorch's order: each module's own parameters, its own buffers, then its
/// children.
using StateDict = torch::OrderedDict<std::string, torch::Tensor>;

/// The shape of each tensor, likewise.
using StateShapes = torch::OrderedDict<std::string, std::vector<int64_t>>;

/// Parameters and buffers of a module; the tensors share memory with it and carry no gradient.
StateDict state_dict(const torch::nn::Module& module);

/// What `state_dict` of the network that `options` describe would hold; nothing is built.
StateShapes state_shapes(const NetworkOptions& options);

/// Throws Error naming every missing, unexpected and wrongly shaped tensor of `state`; `origin`
/// says where it comes from, `spell` how a tensor is called there.
void require_fit(
    const StateDict& state, const StateShapes& expected, const std::string& origin,
    const std::function<std::string(const std::string& name)>& spell = std::identity());

/// Copies `state` into the module's parameters and buffers (dtype and device are converted).
/// Throws Error as `require_fit`. Nothing is changed then.
void load_state_dict(torch::nn::Module& module, const StateDict& state, const std::string& origin);

}  // namespace mobileone
