#include "mobileone/optim/optimizer.h"

#include <ATen/ops/_fused_sgd.h>
#include <torch/utils.h>

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
    : config_(config), state_(state), momentum_(torch::zeros_like(state.parameters)) {}

void Sgd::step(double lr, double weight_decay) {
  torch::NoGradGuard no_grad;
  if (config_.clip_norm > 0) {
    const auto norm = state_.gradients.norm();
    state_.gradients.mul_((config_.clip_norm / (norm + 1e-6)).clamp_max(1.0));
  }
  const int64_t weights = state_.weight_count, all = state_.parameters.numel();
  update(0, weights, lr, weight_decay);
  update(weights, all, lr, config_.decay_norm_and_bias ? weight_decay : 0);
  state_.gradients.zero_();
}

void Sgd::update(int64_t begin, int64_t end, double lr, double weight_decay) {
  const auto part = [&](const torch::Tensor& flat) {
    return std::vector<torch::Tensor>{flat.slice(0, begin, end)};
  };
  // A first step would set v = g; from v = 0 the general step does the same.
  const auto momentum = config_.momentum > 0 ? part(momentum_) : std::vector<torch::Tensor>{};
  at::_fused_sgd_(part(state_.parameters), part(state_.gradients), momentum, weight_decay,
                  config_.momentum, lr, /*dampening=*/0, config_.nesterov, /*maximize=*/false,
                  /*is_first_step=*/false);
}

void Sgd::load_momentum(const StateDict& momentum, const std::string& origin) {
  copy_named(momentum, state_.named_parameters(momentum_), origin + ": momentum");
}

Ema::Ema(double decay, FlatState& state)
    : decay_(decay),
      state_(state),
      parameters_(state.parameters.clone()),
      buffers_(state.buffers.clone()) {}

void Ema::update() {
  torch::NoGradGuard no_grad;
  parameters_.lerp_(state_.parameters, 1 - decay_);
  buffers_.lerp_(state_.buffers, 1 - decay_);
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
