#include "mobileone/optim/optimizer.h"

#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <torch/utils.h>

#include <map>

#include "mobileone/model/options.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

void copy_named(const StateDict& from, const StateDict& to, const std::string& origin) {
  torch::NoGradGuard no_grad;
  for (const auto& item : to) {
    const auto* value = from.find(item.key());
    if (value == nullptr || value->sizes() != item.value().sizes()) {
      throw Error("{}: '{}' is missing or of another shape", origin, item.key());
    }
    torch::Tensor(item.value()).copy_(*value);
  }
}

using TensorList = std::vector<torch::Tensor>;

template <typename Segment>
torch::Tensor part_of_flat(const torch::Tensor& flat, const Segment& segment) {
  return flat.slice(0, segment.begin, segment.end);
}

}  // namespace

Optimizer::Optimizer(const OptimizerConfig& config, FlatState& state)
    : config_(config), state_(state), segments_(segments_of(config, state)) {}

std::vector<Optimizer::Segment> Optimizer::segments_of(OptimizerConfig config,
                                                       const FlatState& state) {
  std::map<Part, double> factors;
  config.lr_factors.visit([&](std::string_view name, double factor, const FieldInfo&) {
    factors[*from_string<Part>(name)] = factor;
  });
  std::vector<Segment> segments;
  for (const auto& slot : state.parameter_slots()) {
    const Segment own{slot.offset, slot.offset + c10::multiply_integers(slot.sizes),
                      factors.at(part_of(slot.name)),
                      config.decay_norm_and_bias || slot.offset < state.weight_count};
    const bool alike = !segments.empty() && segments.back().lr_factor == own.lr_factor &&
                       segments.back().decays == own.decays;
    if (alike) {
      segments.back().end = own.end;
    } else {
      segments.push_back(own);
    }
  }
  return segments;
}

void Optimizer::step(double lr, double weight_decay) {
  torch::NoGradGuard no_grad;
  if (config_.clip_norm > 0) {
    const auto norm = state_.gradients.norm();
    state_.gradients.mul_((config_.clip_norm / (norm + 1e-6)).clamp_max(1.0));
  }
  begin_step();
  for (const Segment& segment : segments_) {
    update(segment, lr * segment.lr_factor, segment.decays ? weight_decay : 0);
  }
  state_.gradients.zero_();
}

void Optimizer::load(const std::map<std::string, StateDict>& from, const std::string& origin) {
  const StateDict none;
  for (const auto& [kind, own] : state()) {
    const auto found = from.find(kind);
    copy_named(found != from.end() ? found->second : none, own, origin + ": " + kind);
  }
}

Sgd::Sgd(const OptimizerConfig& config, FlatState& state)
    : Optimizer(config, state), momentum_(torch::zeros_like(state.parameters)) {}

std::map<std::string, StateDict> Sgd::state() const {
  return {{"momentum", state_.named_parameters(momentum_)}};
}

void Sgd::load_momentum(const StateDict& momentum, const std::string& origin) {
  load({{"momentum", momentum}}, origin);
}

void Sgd::update(const Segment& segment, double lr, double weight_decay) {
  // A first step would set v = g; from v = 0 the general step does the same.
  const auto momentum =
      config_.momentum > 0 ? TensorList{part_of_flat(momentum_, segment)} : TensorList{};
  at::_fused_sgd_({part_of_flat(state_.parameters, segment)},
                  {part_of_flat(state_.gradients, segment)}, momentum, weight_decay,
                  config_.momentum, lr, /*dampening=*/0, config_.nesterov, /*maximize=*/false,
                  /*is_first_step=*/false);
}

AdamW::AdamW(const OptimizerConfig& config, FlatState& state)
    : Optimizer(config, state),
      mean_(torch::zeros_like(state.parameters)),
      square_(torch::zeros_like(state.parameters)),
      step_(torch::zeros({}, torch::kInt64)) {}

std::map<std::string, StateDict> AdamW::state() const {
  StateDict step;
  step.insert("step", step_);
  return {{"exp_avg", state_.named_parameters(mean_)},
          {"exp_avg_sq", state_.named_parameters(square_)},
          {"step", step}};
}

void AdamW::begin_step() { step_.add_(1); }

void AdamW::update(const Segment& segment, double lr, double weight_decay) {
  at::_fused_adamw_({part_of_flat(state_.parameters, segment)},
                    {part_of_flat(state_.gradients, segment)}, {part_of_flat(mean_, segment)},
                    {part_of_flat(square_, segment)}, /*max_exp_avg_sqs=*/{},
                    {step_.to(state_.parameters.device(), torch::kFloat32)}, lr, config_.betas[0],
                    config_.betas[1], weight_decay, config_.eps,
                    /*amsgrad=*/false, /*maximize=*/false);
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config, FlatState& state) {
  if (config.name == OptimizerKind::kAdamW) return std::make_unique<AdamW>(config, state);
  return std::make_unique<Sgd>(config, state);
}

Ema::Ema(FlatState& state)
    : state_(state), parameters_(state.parameters.clone()), buffers_(state.buffers.clone()) {}

void Ema::update(double decay) {
  torch::NoGradGuard no_grad;
  parameters_.lerp_(state_.parameters, 1 - decay);
  buffers_.lerp_(state_.buffers, 1 - decay);
}

void Ema::swap() {
  torch::NoGradGuard no_grad;
  const auto exchange = [](torch::Tensor& a, torch::Tensor& b) {
    const auto kept = a.clone();
    a.copy_(b);
    b.copy_(kept);
  };
  exchange(parameters_, state_.parameters);
  exchange(buffers_, state_.buffers);
}

void Ema::load(const StateDict& average, const std::string& origin) {
  StateDict own;
  for (const auto& item : named_state()) {
    if (item.value().is_floating_point()) own.insert(item.key(), item.value());
  }
  copy_named(average, own, origin + ": moving average");
}

}  // namespace mobileone
