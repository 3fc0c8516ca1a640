#include "mobileone/reparam/fold.h"

#include <ATen/ATen.h>

namespace mobileone {
namespace {

/// The kernel of the identity map: [C, C/groups, K, K], 1 where an output's own input channel
/// meets the centre.
at::Tensor identity_kernel(at::IntArrayRef shape, const at::TensorOptions& options) {
  const int64_t channels = shape[0], per_group = shape[1], centre = shape[2] / 2;
  const auto index = at::arange(channels, options.dtype(at::kLong));
  auto kernel = at::zeros(shape, options);
  kernel.select(3, centre).select(2, centre).index_put_({index, index.remainder(per_group)},
                                                        at::ones({channels}, options));
  return kernel;
}

}  // namespace

FoldedConv fold_branches(const std::vector<Branch>& branches, at::IntArrayRef weight_shape) {
  const auto options = branches.front().gamma.options();
  FoldedConv folded{at::zeros(weight_shape, options), at::zeros({weight_shape[0]}, options)};
  for (const Branch& branch : branches) {
    const auto scale = branch.gamma * (branch.var + branch.eps).rsqrt();
    auto weight = branch.weight.defined() ? branch.weight : identity_kernel(weight_shape, options);
    const int64_t border = (weight_shape[2] - weight.size(2)) / 2;
    weight = at::constant_pad_nd(weight, {border, border, border, border});
    folded.weight = folded.weight + weight * scale.view({-1, 1, 1, 1});
    folded.bias = folded.bias + (branch.beta - scale * branch.mean);
  }
  return folded;
}

}  // namespace mobileone
