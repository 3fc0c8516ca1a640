#include "mobileone/model/state_dict.h"

#include <fmt/ranges.h>
#include <torch/utils.h>

#include <vector>

#include "mobileone/util/error.h"

namespace mobileone {
namespace {

void collect(const torch::nn::Module& module, const std::string& prefix, StateDict& state) {
  for (const auto& item : module.named_parameters(/*recurse=*/false)) {
    state.insert(prefix + item.key(), item.value().detach());
  }
  for (const auto& item : module.named_buffers(/*recurse=*/false)) {
    state.insert(prefix + item.key(), item.value());
  }
  for (const auto& child : module.named_children()) {
    collect(*child.value(), prefix + child.key() + ".", state);
  }
}

void append_names(std::string& message, const char* what, const std::vector<std::string>& names) {
  if (!names.empty())
    message += fmt::format("; {} {}: {}", names.size(), what, fmt::join(names, ", "));
}

}  // namespace

StateDict state_dict(const torch::nn::Module& module) {
  StateDict state;
  collect(module, "", state);
  return state;
}

void load_state_dict(torch::nn::Module& module, const StateDict& state, const std::string& origin) {
  const StateDict own = state_dict(module);
  std::vector<std::string> missing, unexpected, misshapen;
  for (const auto& item : own) {
    const auto* given = state.find(item.key());
    if (given == nullptr) {
      missing.push_back(item.key());
    } else if (given->sizes() != item.value().sizes()) {
      misshapen.push_back(fmt::format("{} is [{}], expected [{}]", item.key(),
                                      fmt::join(given->sizes(), ", "),
                                      fmt::join(item.value().sizes(), ", ")));
    }
  }
  for (const auto& item : state) {
    if (!own.contains(item.key())) unexpected.push_back(item.key());
  }
  if (!missing.empty() || !unexpected.empty() || !misshapen.empty()) {
    std::string details;
    append_names(details, "missing", missing);
    append_names(details, "unexpected", unexpected);
    append_names(details, "of another shape", misshapen);
    throw Error("{}: its weights do not fit the network{}", origin, details);
  }
  torch::NoGradGuard no_grad;
  for (auto& item : own) torch::Tensor(item.value()).copy_(state[item.key()]);
}

}  // namespace mobileone
