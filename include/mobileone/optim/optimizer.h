#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mobileone/config/config.h"
#include "mobileone/optim/flat_state.h"

namespace mobileone {

/// Changes the parameters of a FlatState, which must outlive it, in one fused pass. Each part's
/// learning rate is the step's times its factor (optimizer.lr_factors).
class Optimizer {
 public:
  Optimizer(const OptimizerConfig& config, FlatState& state);
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One step from the accumulated gradients, which it clips (optimizer.clip_norm) and sets to
  /// zero afterwards.
  void step(double lr, double weight_decay);

  /// What a step leaves for the next, by kind ("momentum"; "exp_avg", "exp_avg_sq" and "step"),
  /// under the parameters' names; "step" has a tensor of that name only. Shares memory.
  virtual std::map<std::string, StateDict> state() const = 0;
  /// The same whole: each kind laid out as FlatState::parameters, or a scalar.
  virtual std::vector<torch::Tensor> tensors() const = 0;
  /// Copies what another's `state` gave. Throws Error that begins with `origin` where something is
  /// missing or of another shape.
  void load(const std::map<std::string, StateDict>& state, const std::string& origin);

 protected:
  /// Neighbouring parameters that are updated alike.
  struct Segment {
    int64_t begin, end;  ///< in FlatState::parameters
    double lr_factor;
    bool decays;
  };
  /// `weight_decay` is 0 for a segment that does not decay.
  virtual void update(const Segment& segment, double lr, double weight_decay) = 0;
  virtual void begin_step() {}

  const OptimizerConfig config_;
  FlatState& state_;

 private:
  static std::vector<Segment> segments_of(OptimizerConfig config, const FlatState& state);

  const std::vector<Segment> segments_;
};

/// Stochastic gradient descent as torch.optim.SGD defines it: g ← ∇ + λw, v ← μv + g (v = g at
/// first), w ← w − η v, or with Nesterov w ← w − η (g + μv). Its state is v, "momentum".
class Sgd : public Optimizer {
 public:
  Sgd(const OptimizerConfig& config, FlatState& state);

  std::vector<torch::Tensor> tensors() const override { return {momentum_}; }
  std::map<std::string, StateDict> state() const override;
  /// v, laid out as FlatState::parameters.
  const torch::Tensor& momentum() const { return momentum_; }
  void load_momentum(const StateDict& momentum, const std::string& origin);

 private:
  void update(const Segment& segment, double lr, double weight_decay) override;

  torch::Tensor momentum_;
};

/// Adam with decoupled weight decay (Loshchilov & Hutter 2019) as torch.optim.AdamW defines it:
/// w ← w − ηλw, m ← β₁m + (1 − β₁)∇, v ← β₂v + (1 − β₂)∇², and at step t, from 1,
/// w ← w − η m / (1 − β₁ᵗ) / (sqrt(v / (1 − β₂ᵗ)) + ε). Its state, by PyTorch's names, is m,
/// "exp_avg", v, "exp_avg_sq", and t, "step".
class AdamW : public Optimizer {
 public:
  AdamW(const OptimizerConfig& config, FlatState& state);

  std::vector<torch::Tensor> tensors() const override { return {mean_, square_, step_}; }
  std::map<std::string, StateDict> state() const override;

 private:
  void update(const Segment& segment, double lr, double weight_decay) override;
  void begin_step() override;

  torch::Tensor mean_, square_;
  torch::Tensor step_;  ///< int64
};

/// The one that optimizer.name asks for.
std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config, FlatState& state);

/// Exponential moving average of parameters and buffers (Polyak & Juditsky 1992): after every step
/// a ← d a + (1 − d) w, from a = w at the start. The decay d may change from step to step.
class Ema {
 public:
  /// `state` must outlive the average.
  explicit Ema(FlatState& state);

  void update(double decay);
  /// Exchanges the average and the network's own values, to evaluate the average and back.
  void swap();

  /// The average, laid out as FlatState::parameters and FlatState::buffers.
  const torch::Tensor& parameters() const { return parameters_; }
  const torch::Tensor& buffers() const { return buffers_; }
  StateDict named_state() const { return state_.named_state(parameters_, buffers_); }
  void load(const StateDict& average, const std::string& origin);

 private:
  FlatState& state_;
  torch::Tensor parameters_, buffers_;
};

}  // namespace mobileone
