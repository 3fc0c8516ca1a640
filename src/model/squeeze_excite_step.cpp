#include "squeeze_excite_step.h"

#include <torch/types.h>

#include "mobileone/reparam/backend.h"

namespace mobileone {
namespace {

using torch::Tensor;

/// A 1×1 convolution's weight as a matrix.
Tensor matrix(const torch::nn::Conv2d& conv) { return conv->weight.flatten(1); }

}  // namespace

Tensor SqueezeExciteStep::forward(const Tensor& z) {
  const auto dtype = module_->reduce->weight.scalar_type();
  pooled_ = z.mean({2, 3}, /*keepdim=*/false, dtype);
  hidden_ = torch::addmm(module_->reduce->bias, pooled_, matrix(module_->reduce).t()).relu_();
  gate_ = torch::addmm(module_->expand->bias, hidden_, matrix(module_->expand).t()).sigmoid_();
  return output(z);
}

Tensor SqueezeExciteStep::output(const Tensor& z) const {
  return backend_of(z).gates.relu(z, gate_);
}

Tensor SqueezeExciteStep::backward(const Tensor& z, Tensor g,
                                   std::vector<Tensor>& gradients) const {
  const auto d_gate = backend_of(z).gates.gate_gradient(z, gate_, g);
  const auto d_expand = d_gate * gate_ * (1 - gate_);
  const auto d_hidden = d_expand.mm(matrix(module_->expand)) * (hidden_ > 0);
  const auto d_pooled = d_hidden.mm(matrix(module_->reduce));
  gradients = {d_hidden.t().mm(pooled_).view_as(module_->reduce->weight), d_hidden.sum(0),
               d_expand.t().mm(hidden_).view_as(module_->expand->weight), d_expand.sum(0)};
  backend_of(z).gates.input_gradient(g, gate_,
                                     d_pooled / static_cast<double>(z.size(2) * z.size(3)));
  return g;
}

}  // namespace mobileone
