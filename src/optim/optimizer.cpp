#include "mobileone/optim/optimizer.h"

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

}  // namespace

Sgd::Sgd(const OptimizerConfig& config, FlatState& state)
    : config_(config),
      state_(state),
      segments_(segments_of(config, state)),
      momentum_(torch::zeros_like(state.parameters)) {}

std::vector<Sgd::Segment> Sgd::segments_of(OptimizerConfig config, const FlatState& state) {
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

void Sgd::step(double lr, double weight_decay) {
  torch::NoGradGuard no_grad;
  if (config_.clip_norm > 0) {
    const auto norm = state_.gradients.norm();
    state_.gradients.mul_((config_.clip_norm / (norm + 1e-6)).clamp_max(1.0));
  }
  for (const Segment& segment : segments_) update(segment, lr, weight_decay);
  state_.gradients.zero_();
}

void Sgd::update(const Segment& segment, double lr, double weight_decay) {
  const auto part = [&](const torch::Tensor& flat) {
    return std::vector<torch::Tensor>{flat.slice(0, segment.begin, segment.end)};
  };
  // A first step would set v = g; from v = 0 the general step does the same.
  const auto momentum = config_.momentum > 0 ? part(momentum_) : std::vector<torch::Tensor>{};
  at::_fused_sgd_(part(state_.parameters), part(state_.gradients), momentum,
                  segment.decays ? weight_decay : 0, config_.momentum, lr * segment.lr_factor,
                  /*dampening=*/0, config_.nesterov, /*maximize=*/false,
                  /*is_first_step=*/false);
}

void Sgd::load_momentum(const StateDict& momentum, const std::string& origin) {
  copy_named(momentum, state_.named_parameters(momentum_), origin + ": momentum");
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
