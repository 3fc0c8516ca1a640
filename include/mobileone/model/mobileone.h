#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <string_view>
#include <vector>

#include "mobileone/dist/workers.h"
#include "mobileone/model/options.h"
#include "mobileone/reparam/fold.h"

namespace mobileone {

/// Squeeze-and-excitation (Hu et al. 2018) with reduction C/16: x · σ(W₂ relu(W₁ mean(x))).
/// [N,C,H,W] → [N,C,H,W].
class SqueezeExciteImpl : public torch::nn::Module {
 public:
  explicit SqueezeExciteImpl(int64_t channels);
  torch::Tensor forward(const torch::Tensor& x);

  torch::nn::Conv2d reduce, expand;
};
TORCH_MODULE(SqueezeExcite);

/// The hidden channels of SE over `channels`: a sixteenth, at least one.
int64_t squeeze_excite_hidden(int64_t channels);

/// A convolution without bias and its batch norm: keys `conv.weight`, `bn.*`.
class ConvBnImpl : public torch::nn::Module {
 public:
  explicit ConvBnImpl(const torch::nn::Conv2dOptions& options);
  torch::Tensor forward(const torch::Tensor& x);

  torch::nn::Conv2d conv;
  torch::nn::BatchNorm2d bn;
};
TORCH_MODULE(ConvBn);

/// The tensors of an unfolded unit's branches: k convolutions, then the scale, then the skip.
struct BranchTensors {
  std::vector<torch::Tensor> weights;  ///< not the skip's, which has none
  std::vector<torch::Tensor> gammas, betas, means, vars, counters;
  double eps = 1e-5;
  double momentum = 0.1;
};

/// One MobileOne unit. `forward` of an unfolded unit computes each branch by itself: the reference
/// that the folded engine is compared with. [N,Cin,H,W] → [N,Cout,H',W'].
class UnitImpl : public torch::nn::Module {
 public:
  explicit UnitImpl(UnitOptions options);
  torch::Tensor forward(const torch::Tensor& x);
  /// What an unfolded unit computes in evaluation mode, by its `fold`; gradients reach x and SE's
  /// parameters only.
  torch::Tensor forward_folded(const torch::Tensor& x);

  /// The one convolution that does in evaluation what an unfolded unit's branches do: folded with
  /// their running statistics, in float64. Its weight is [Cout,Cin/groups,K,K].
  FoldedConv fold() const;

  BranchTensors branch_tensors() const;
  /// Undefined where the unit has none.
  SqueezeExcite squeeze_excite() const { return se_; }

  const UnitOptions options;

 private:
  torch::Tensor sum_of_branches(const torch::Tensor& x);

  SqueezeExcite se_{nullptr};
  torch::nn::BatchNorm2d rbr_skip_{nullptr};
  std::vector<ConvBn> rbr_conv_;
  ConvBn rbr_scale_{nullptr};
  torch::nn::Conv2d reparam_conv_{nullptr};
};
TORCH_MODULE(Unit);

/// MobileOne with branches or folded. Parameters and buffers carry the names and the order of
/// Apple's published state dicts. Initialised from torch's global generator.
class MobileOneImpl : public torch::nn::Module {
 public:
  explicit MobileOneImpl(NetworkOptions options);

  /// [N,Cin,H,W] → logits [N,num_classes].
  torch::Tensor forward(const torch::Tensor& x);
  /// The output of each stage, finest first: four tensors [N,C_s,H_s,W_s].
  std::vector<torch::Tensor> features(const torch::Tensor& x);

  /// Takes the parameters of `parts` out of training, the others in. Frozen units stay in
  /// evaluation mode: they keep, and compute with, their running statistics.
  void freeze(const std::vector<Part>& parts);
  void train(bool on = true) override;

  const std::vector<Unit>& units() const { return units_; }
  torch::nn::Linear linear() const { return linear_; }

  const NetworkOptions options;
  /// How an unfolded network trains; may change at any time. Evaluation computes each branch:
  /// `fold` once where it shall be fast. Folded networks take no notice.
  Engine engine = Engine::kFolded;
  /// The processes whose batches the folded engine's batch norms see together; null: this one's.
  const Workers* norm_workers = nullptr;

 private:
  void initialise();
  /// The outputs of the units in `outputs`, increasing indices that end with the last unit's.
  std::vector<torch::Tensor> run(const torch::Tensor& x, const std::vector<size_t>& outputs);

  bool is_frozen(std::string_view name) const;

  std::vector<Part> frozen_;
  std::vector<Unit> units_;  ///< stem and every stage's units in order
  torch::nn::Linear linear_{nullptr};
};
TORCH_MODULE(MobileOne);

/// The same function as `network` in evaluation mode, with one convolution per unit: branches are
/// folded with their running statistics, in float64, and rounded once. A folded network is copied.
MobileOne fold(const MobileOne& network);

}  // namespace mobileone
