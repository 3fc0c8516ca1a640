#pragma once

#include <utility>
#include <vector>

#include "mobileone/model/unit.h"

namespace mobileone {

/// SE and the ReLU after it in a training step: out = relu(z · s(mean z)), with s one factor per
/// image and channel. Keeps those factors and SE's hidden layer, nothing of z's size.
class SqueezeExciteStep {
 public:
  explicit SqueezeExciteStep(SqueezeExcite module) : module_(std::move(module)) {}

  torch::Tensor forward(const torch::Tensor& z);
  /// The output again, after `forward`.
  torch::Tensor output(const torch::Tensor& z) const;
  /// ∂L/∂z from g = ∂L/∂out, in place; appends the gradients of SE's parameters in their order.
  torch::Tensor backward(const torch::Tensor& z, torch::Tensor g,
                         std::vector<torch::Tensor>& gradients) const;

 private:
  SqueezeExcite module_;
  torch::Tensor pooled_, hidden_, gate_;  // [N,C], [N,C/16], [N,C]
};

}  // namespace mobileone
