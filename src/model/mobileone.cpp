#include "mobileone/model/mobileone.h"

#include <torch/nn/init.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "mobileone/model/folded_engine.h"
#include "mobileone/model/state_dict.h"

namespace mobileone {
namespace nn = torch::nn;
using torch::Tensor;

MobileOneImpl::MobileOneImpl(NetworkOptions network_options) : options(std::move(network_options)) {
  nn::ModuleList stage;
  for (const auto& unit : unit_table(options)) {
    units_.emplace_back(unit);
    const auto dot = unit.name.find('.');
    if (dot == std::string::npos) {
      register_module(unit.name, units_.back());
      continue;
    }
    if (unit.name.substr(dot) == ".0") {
      stage = register_module(unit.name.substr(0, dot), nn::ModuleList());
    }
    stage->push_back(units_.back());
  }
  head_ = make_head(options);
  if (head_) register_module(head_->name(), head_);
  initialise();
}

void MobileOneImpl::initialise() {
  // He et al. 2015 with fan-out over a group for convolutions, a narrow normal for what heads end
  // in: what timm uses for this family. Norms start as the identity, as torch makes them.
  torch::NoGradGuard no_grad;
  for (const auto& module : modules(/*include_self=*/false)) {
    if (auto* conv = module->as<nn::Conv2d>()) {
      const auto& weight = conv->weight;
      const double fan_out =
          static_cast<double>(weight.numel()) / weight.size(1) / conv->options.groups();
      nn::init::normal_(weight, 0, std::sqrt(2.0 / fan_out));
      if (conv->bias.defined()) nn::init::zeros_(conv->bias);
    }
  }
  if (head_) head_->initialise();
}

bool MobileOneImpl::is_frozen(std::string_view name) const {
  return std::find(frozen_.begin(), frozen_.end(), part_of(name)) != frozen_.end();
}

void MobileOneImpl::freeze(const std::vector<Part>& parts) {
  frozen_ = parts;
  for (auto& item : named_parameters()) item.value().set_requires_grad(!is_frozen(item.key()));
  train(is_training());
}

void MobileOneImpl::train(bool on) {
  Module::train(on);
  for (auto& unit : units_) unit->train(on && !is_frozen(unit->options.name));
  if (head_) head_->train(on && !is_frozen(head_->name()));
}

std::vector<Unit> MobileOneImpl::all_units() const {
  std::vector<Unit> all = units_;
  if (head_) {
    for (const auto& unit : head_->units()) all.push_back(unit);
  }
  return all;
}

nn::Linear MobileOneImpl::linear() const {
  const auto* classifier = head_ ? head_->as<ClassifierImpl>() : nullptr;
  return classifier != nullptr ? classifier->linear : nn::Linear(nullptr);
}

std::vector<Tensor> MobileOneImpl::run(const std::vector<Unit>& units, const Tensor& x,
                                       const std::vector<size_t>& outputs) {
  const bool by_folding = !options.folded && engine == Engine::kFolded && is_training();
  const auto wanted = [&](size_t i) {
    return std::find(outputs.begin(), outputs.end(), i) != outputs.end();
  };
  std::vector<Tensor> results;
  Tensor y = x;
  for (size_t begin = 0, end; begin <= outputs.back(); begin = end) {
    end = begin + 1;
    if (by_folding && units[begin]->is_training()) {
      while (end <= outputs.back() && units[end]->is_training()) ++end;
      std::vector<size_t> inner;  // and the last one, which the next chain takes
      for (size_t i = begin; i + 1 < end; ++i) {
        if (wanted(i)) inner.push_back(i - begin);
      }
      inner.push_back(end - 1 - begin);
      auto all =
          train_folded({units.begin() + begin, units.begin() + end}, y, inner, norm_processes);
      y = all.back();
      all.pop_back();
      results.insert(results.end(), all.begin(), all.end());
    } else {
      Unit unit = units[begin];
      y = by_folding ? unit->forward_folded(y) : unit(y);
    }
    if (wanted(end - 1)) results.push_back(y);
  }
  return results;
}

std::vector<Tensor> MobileOneImpl::run_stages(const Tensor& x, const std::vector<int64_t>& stages) {
  std::vector<size_t> ends;
  size_t end = 0;
  for (size_t s = 0; s < options.stages.size(); ++s) {
    end += static_cast<size_t>(2 * options.stages[s].blocks);
    const auto number = static_cast<int64_t>(s + 1);
    if (std::find(stages.begin(), stages.end(), number) != stages.end()) ends.push_back(end);
  }
  return run(units_, x, ends);
}

std::vector<Tensor> MobileOneImpl::features(const Tensor& x) { return run_stages(x, {1, 2, 3, 4}); }

Outputs MobileOneImpl::outputs(const Tensor& x) {
  TORCH_CHECK(head_, "a backbone has features, but no outputs");
  return head_->forward(run_stages(x, head_->stages()), x.sizes().slice(2),
                        [this](const std::vector<Unit>& units, const Tensor& input) {
                          return run(units, input, {units.size() - 1}).front();
                        });
}

Tensor MobileOneImpl::forward(const Tensor& x) { return outputs(x).front(); }

MobileOne fold(const MobileOne& network) {
  NetworkOptions options = network->options;
  options.folded = true;
  const StateShapes shapes = state_shapes(options);
  StateDict state;
  const auto take = [&](const std::string& name, const Tensor& tensor) {
    if (shapes.contains(name)) state.insert(name, tensor);
  };
  for (const auto& item : state_dict(*network)) take(item.key(), item.value());
  if (!network->options.folded) {
    for (const auto& unit : network->all_units()) {
      const FoldedConv conv = unit->fold();
      take(unit->options.name + ".reparam_conv.weight", conv.weight);
      take(unit->options.name + ".reparam_conv.bias", conv.bias);
    }
  }
  MobileOne folded(options);
  const auto parameter = network->parameters().front();
  folded->to(parameter.device(), parameter.scalar_type());
  load_state_dict(*folded, state, "fold");
  folded->eval();
  return folded;
}

}  // namespace mobileone
