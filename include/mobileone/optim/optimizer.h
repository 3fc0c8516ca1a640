#pragma once

#include <vector>

#include "mobileone/config/config.h"
#include "mobileone/optim/flat_state.h"

namespace mobileone {

/// Stochastic gradient descent as torch.optim.SGD defines it: g ← ∇ + λw, v ← μv + g (v = g at
/// first), w ← w − η v, or with Nesterov w ← w − η (g + μv), with η times the part's factor
/// (optimizer.lr_factors). Works on a FlatState in one fused pass.
class Sgd {
 public:
  /// `state` must outlive the optimizer.
  Sgd(const OptimizerConfig& config, FlatState& state);

  /// One step from the accumulated gradients, which it clips (optimizer.clip_norm) and sets to
  /// zero afterwards.
  void step(double lr, double weight_decay);

  /// Momentum, laid out as FlatState::parameters.
  const torch::Tensor& momentum() const { return momentum_; }
  void load_momentum(const StateDict& momentum, const std::string& origin);

 private:
  /// Neighbouring parameters that are updated alike.
  struct Segment {
    int64_t begin, end;  ///< in FlatState::parameters
    double lr_factor;
    bool decays;
  };
  static std::vector<Segment> segments_of(OptimizerConfig config, const FlatState& state);
  void update(const Segment& segment, double lr, double weight_decay);

  OptimizerConfig config_;
  FlatState& state_;
  const std::vector<Segment> segments_;
  torch::Tensor momentum_;
};

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
