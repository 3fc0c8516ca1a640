#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/conv.h>

#include <vector>

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

}  // namespace mobileone
