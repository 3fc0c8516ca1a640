#include "mobileone/model/mobileone.h"

#include <ATen/autocast_mode.h>
#include <torch/nn/init.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "mobileone/model/branch_stack.h"
#include "mobileone/model/folded_engine.h"
#include "mobileone/model/state_dict.h"

namespace mobileone {
namespace nn = torch::nn;
using torch::Tensor;

int64_t squeeze_excite_hidden(int64_t channels) { return std::max<int64_t>(1, channels / 16); }

SqueezeExciteImpl::SqueezeExciteImpl(int64_t channels)
    : reduce(nn::Conv2dOptions(channels, squeeze_excite_hidden(channels), 1)),
      expand(nn::Conv2dOptions(squeeze_excite_hidden(channels), channels, 1)) {
  register_module("reduce", reduce);
  register_module("expand", expand);
}

Tensor SqueezeExciteImpl::forward(const Tensor& x) {
  const auto pooled = x.mean({2, 3}, /*keepdim=*/true);
  return x * expand(reduce(pooled).relu_()).sigmoid();
}

ConvBnImpl::ConvBnImpl(const nn::Conv2dOptions& options)
    : conv(options), bn(nn::BatchNorm2dOptions(options.out_channels())) {
  register_module("conv", conv);
  register_module("bn", bn);
}

Tensor ConvBnImpl::forward(const Tensor& x) { return bn(conv(x)); }

UnitImpl::UnitImpl(UnitOptions unit_options) : options(std::move(unit_options)) {
  const auto& o = options;
  const auto conv = nn::Conv2dOptions(o.in_channels, o.out_channels, o.kernel)
                        .stride(o.stride)
                        .padding(o.padding())
                        .dilation(o.dilation)
                        .groups(o.groups)
                        .bias(o.folded);
  if (o.se) se_ = register_module("se", SqueezeExcite(o.out_channels));
  if (o.folded) {
    reparam_conv_ = register_module("reparam_conv", nn::Conv2d(conv));
    return;
  }
  if (o.has_skip()) rbr_skip_ = register_module("rbr_skip", nn::BatchNorm2d(o.in_channels));
  auto branches = register_module("rbr_conv", nn::ModuleList());
  for (int64_t i = 0; i < o.branches; ++i) {
    rbr_conv_.emplace_back(conv);
    branches->push_back(rbr_conv_.back());
  }
  if (o.has_scale()) {
    rbr_scale_ = register_module(
        "rbr_scale",
        ConvBn(nn::Conv2dOptions(o.in_channels, o.out_channels, 1).groups(o.groups).bias(false)));
  }
}

Tensor UnitImpl::forward(const Tensor& x) {
  Tensor out = options.folded ? reparam_conv_(x) : sum_of_branches(x);
  if (se_) out = se_(out);
  return out.relu_();
}

Tensor UnitImpl::forward_folded(const Tensor& x) {
  const FoldedConv conv = fold();
  const auto dtype = rbr_conv_.front()->conv->weight.scalar_type();
  Tensor out = torch::conv2d(x, conv.weight.to(dtype), conv.bias.to(dtype), options.stride,
                             options.padding(), options.dilation, options.groups);
  if (se_) out = se_(out);
  return out.relu_();
}

Tensor UnitImpl::sum_of_branches(const Tensor& x) {
  Tensor out = rbr_conv_.front()(x);
  for (size_t i = 1; i < rbr_conv_.size(); ++i) out += rbr_conv_[i](x);
  if (rbr_scale_) {
    // A 1×1 convolution sees only the pixels it strides over. Taking them first keeps oneDNN from
    // its strided 1×1 backward, which corrupts memory for 3 input channels (torch 2.13).
    const int64_t stride = options.stride;
    out += rbr_scale_(
        stride == 1 ? x : x.slice(2, 0, x.size(2), stride).slice(3, 0, x.size(3), stride));
  }
  if (rbr_skip_) out += rbr_skip_(x);
  return out;
}

BranchTensors UnitImpl::branch_tensors() const {
  BranchTensors tensors;
  const auto add = [&](const nn::BatchNorm2d& norm) {
    tensors.gammas.push_back(norm->weight);
    tensors.betas.push_back(norm->bias);
    tensors.means.push_back(norm->running_mean);
    tensors.vars.push_back(norm->running_var);
    tensors.counters.push_back(norm->num_batches_tracked);
    tensors.eps = norm->options.eps();
    tensors.momentum = *norm->options.momentum();
  };
  const auto add_conv = [&](const ConvBn& branch) {
    tensors.weights.push_back(branch->conv->weight);
    add(branch->bn);
  };
  for (const auto& branch : rbr_conv_) add_conv(branch);
  if (rbr_scale_) add_conv(rbr_scale_);
  if (rbr_skip_) add(rbr_skip_);
  return tensors;
}

FoldedConv UnitImpl::fold() const {
  torch::NoGradGuard no_grad;
  const BranchTensors tensors = branch_tensors();
  const BranchStack branches = stack_branches(options, tensors, torch::kFloat64);
  FoldedConv conv = fold_branches(branches, {torch::stack(tensors.means).to(torch::kFloat64),
                                             torch::stack(tensors.vars).to(torch::kFloat64)});
  conv.weight = unpack_patches(conv.weight, options);
  return conv;
}

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
  if (options.num_classes > 0) {
    linear_ = register_module("linear",
                              nn::Linear(units_.back()->options.out_channels, options.num_classes));
  }
  initialise();
}

void MobileOneImpl::initialise() {
  // He et al. 2015 with fan-out over a group for convolutions, a narrow normal for the classifier:
  // what timm uses for this family. Norms start as the identity, as torch makes them.
  torch::NoGradGuard no_grad;
  for (const auto& module : modules(/*include_self=*/false)) {
    if (auto* conv = module->as<nn::Conv2d>()) {
      const auto& weight = conv->weight;
      const double fan_out =
          static_cast<double>(weight.numel()) / weight.size(1) / conv->options.groups();
      nn::init::normal_(weight, 0, std::sqrt(2.0 / fan_out));
      if (conv->bias.defined()) nn::init::zeros_(conv->bias);
    } else if (auto* linear = module->as<nn::Linear>()) {
      nn::init::normal_(linear->weight, 0, 0.01);
      nn::init::zeros_(linear->bias);
    }
  }
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
}

std::vector<Tensor> MobileOneImpl::run(const Tensor& x, const std::vector<size_t>& outputs) {
  const bool by_folding = !options.folded && engine == Engine::kFolded && is_training();
  std::vector<Tensor> results;
  Tensor y = x;
  for (size_t begin = 0, end; begin < units_.size(); begin = end) {
    end = begin + 1;
    const size_t next_output = outputs[results.size()];
    if (!by_folding) {
      y = units_[begin](y);
    } else if (!units_[begin]->is_training()) {
      y = units_[begin]->forward_folded(y);
    } else {
      while (end <= next_output && units_[end]->is_training()) ++end;
      y = train_folded({units_.begin() + begin, units_.begin() + end}, y, {end - begin - 1},
                       norm_workers)
              .front();
    }
    if (end == next_output + 1) results.push_back(y);
  }
  return results;
}

std::vector<Tensor> MobileOneImpl::features(const Tensor& x) {
  std::vector<size_t> stage_ends;
  for (const auto& stage : options.stages) {
    stage_ends.push_back((stage_ends.empty() ? 0 : stage_ends.back()) + 2 * stage.blocks);
  }
  return run(x, stage_ends);
}

Tensor MobileOneImpl::forward(const Tensor& x) {
  const Tensor last = run(x, {units_.size() - 1}).front();
  // The classifier computes in its weight's precision under autocast, too: processors without
  // bfloat16 arithmetic take longer for its product than for all else of a small batch.
  c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  return linear_(last.mean({2, 3}, /*keepdim=*/false, linear_->weight.scalar_type()));
}

MobileOne fold(const MobileOne& network) {
  NetworkOptions options = network->options;
  options.folded = true;
  MobileOne folded(options);
  StateDict state;
  for (const auto& item : state_dict(*network)) {
    if (item.key().find(".rbr_") == std::string::npos) state.insert(item.key(), item.value());
  }
  if (!network->options.folded) {
    for (const auto& unit : network->units()) {
      const FoldedConv conv = unit->fold();
      state.insert(unit->options.name + ".reparam_conv.weight", conv.weight);
      state.insert(unit->options.name + ".reparam_conv.bias", conv.bias);
    }
  }
  const auto parameter = network->parameters().front();
  folded->to(parameter.device(), parameter.scalar_type());
  load_state_dict(*folded, state, "fold");
  folded->eval();
  return folded;
}

}  // namespace mobileone
