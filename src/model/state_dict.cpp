#include "mobileone/model/state_dict.h"

#include <fmt/ranges.h>
#include <torch/utils.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "mobileone/model/mobileone.h"
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

/// The first of them: a line that a whole network's would make helps nobody.
void append_names(std::string& message, const char* what, const std::vector<std::string>& names) {
  constexpr size_t kShown = 16;
  if (names.empty()) return;
  const size_t shown = std::min(names.size(), kShown);
  message += fmt::format("; {} {}: {}{}", names.size(), what,
                         fmt::join(names.begin(), names.begin() + shown, ", "),
                         shown < names.size() ? ", ..." : "");
}

/// Shapes in the order in which the modules of mobileone.h register their tensors.
class ShapeList {
 public:
  /// A module with a weight of this shape and a bias.
  void add(const std::string& name, const std::vector<int64_t>& weight) {
    shapes_.insert(name + ".weight", weight);
    shapes_.insert(name + ".bias", {weight.front()});
  }

  void add_unit(const UnitOptions& unit) {
    const std::string name = unit.name + ".";
    const int64_t channels = unit.out_channels;
    if (unit.se) {
      const int64_t hidden = squeeze_excite_hidden(channels);
      add(name + "se.reduce", {hidden, channels, 1, 1});
      add(name + "se.expand", {channels, hidden, 1, 1});
    }
    if (unit.folded) return add(name + "reparam_conv", unit.weight_shape());
    if (unit.has_skip()) add_norm(name + "rbr_skip", channels);
    for (int64_t i = 0; i < unit.branches; ++i) {
      add_branch(fmt::format("{}rbr_conv.{}.", name, i), unit.weight_shape());
    }
    if (unit.has_scale()) {
      add_branch(name + "rbr_scale.", {channels, unit.in_channels / unit.groups, 1, 1});
    }
  }

  StateShapes take() { return std::move(shapes_); }

 private:
  void add_norm(const std::string& name, int64_t channels) {
    add(name, {channels});
    shapes_.insert(name + ".running_mean", {channels});
    shapes_.insert(name + ".running_var", {channels});
    shapes_.insert(name + ".num_batches_tracked", {});
  }

  void add_branch(const std::string& prefix, const std::vector<int64_t>& weight) {
    shapes_.insert(prefix + "conv.weight", weight);
    add_norm(prefix + "bn", weight.front());
  }

  StateShapes shapes_;
};

}  // namespace

StateDict state_dict(const torch::nn::Module& module) {
  StateDict state;
  collect(module, "", state);
  return state;
}

StateShapes state_shapes(const NetworkOptions& options) {
  ShapeList list;
  for (const UnitOptions& unit : unit_table(options)) list.add_unit(unit);
  for (const auto& [unit, kind, stage, pooled, halvings] : head_table(options)) {
    if (kind == HeadLayer::Kind::kUnit) {
      list.add_unit(unit);
    } else if (kind == HeadLayer::Kind::kConv) {
      list.add(unit.name, unit.weight_shape());
    } else {
      list.add(unit.name, {unit.out_channels, unit.in_channels});
    }
  }
  return list.take();
}

void require_fit(const StateDict& state, const StateShapes& expected, const std::string& origin,
                 const std::function<std::string(const std::string& name)>& spell) {
  std::vector<std::string> missing, unexpected, misshapen;
  for (const auto& item : expected) {
    const auto* given = state.find(item.key());
    if (given == nullptr) {
      missing.push_back(spell(item.key()));
    } else if (given->sizes() != at::IntArrayRef(item.value())) {
      misshapen.push_back(fmt::format("{} is [{}], expected [{}]", spell(item.key()),
                                      fmt::join(given->sizes(), ", "),
                                      fmt::join(item.value(), ", ")));
    }
  }
  for (const auto& item : state) {
    if (!expected.contains(item.key())) unexpected.push_back(spell(item.key()));
  }
  if (missing.empty() && unexpected.empty() && misshapen.empty()) return;
  std::string details;
  append_names(details, "missing", missing);
  append_names(details, "unexpected", unexpected);
  append_names(details, "of another shape", misshapen);
  throw Error("{}: its weights do not fit the network{}", origin, details);
}

void load_state_dict(torch::nn::Module& module, const StateDict& state, const std::string& origin) {
  const StateDict own = state_dict(module);
  StateShapes shapes;
  for (const auto& item : own) shapes.insert(item.key(), item.value().sizes().vec());
  require_fit(state, shapes, origin);
  torch::NoGradGuard no_grad;
  for (auto& item : own) torch::Tensor(item.value()).copy_(state[item.key()]);
}

}  // namespace mobileone
