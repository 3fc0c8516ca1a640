#include "mobileone/optim/flat_state.h"

#include <torch/utils.h>

#include <algorithm>
#include <utility>

namespace mobileone {
namespace {

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

torch::Tensor view_of(const torch::Tensor& flat, int64_t offset, c10::IntArrayRef sizes) {
  return flat.narrow(0, offset, c10::multiply_integers(sizes)).view(sizes);
}

}  // namespace

torch::Tensor FlatState::lay_out(const NamedTensors& tensors, std::vector<Slot>& slots) {
  std::vector<torch::Tensor> parts;
  int64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    parts.push_back(tensor.detach().reshape({-1}));
    slots.push_back({name, offset, tensor.sizes().vec()});
    offset += tensor.numel();
  }
  const auto flat = torch::cat(parts);
  for (size_t i = 0; i < tensors.size(); ++i) {
    torch::Tensor(tensors[i].second).set_data(view_of(flat, slots[i].offset, slots[i].sizes));
  }
  return flat;
}

FlatState::FlatState(torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  NamedTensors named, floating;
  for (const auto& item : module.named_parameters()) {
    if (item.value().requires_grad()) named.emplace_back(item.key(), item.value());
  }
  std::stable_partition(named.begin(), named.end(),
                        [](const auto& p) { return p.second.dim() > 1; });
  for (const auto& [name, tensor] : named) weight_count += tensor.dim() > 1 ? tensor.numel() : 0;
  for (const auto& item : module.named_buffers()) {
    if (item.value().is_floating_point()) floating.emplace_back(item.key(), item.value());
  }
  parameters = lay_out(named, parameter_slots_);
  buffers = floating.empty() ? parameters.new_empty({0}) : lay_out(floating, buffer_slots_);
  gradients = torch::zeros_like(parameters);
  for (size_t i = 0; i < named.size(); ++i) {
    named[i].second.mutable_grad() =
        view_of(gradients, parameter_slots_[i].offset, parameter_slots_[i].sizes);
  }
  module_state_ = state_dict(module);
}

StateDict FlatState::named_parameters(const torch::Tensor& flat) const {
  StateDict named;
  for (const auto& slot : parameter_slots_)
    named.insert(slot.name, view_of(flat, slot.offset, slot.sizes));
  return named;
}

StateDict FlatState::named_state(const torch::Tensor& flat_parameters,
                                 const torch::Tensor& flat_buffers) const {
  StateDict values = named_parameters(flat_parameters), named;
  for (const auto& slot : buffer_slots_) {
    values.insert(slot.name, view_of(flat_buffers, slot.offset, slot.sizes));
  }
  for (const auto& item : module_state_) {
    const auto* value = values.find(item.key());
    named.insert(item.key(), value != nullptr ? *value : item.value());
  }
  return named;
}

}  // namespace mobileone
