#include "mobileone/model/branch_stack.h"

#include <torch/types.h>

#include "mobileone/util/profile.h"

namespace mobileone {
using torch::Tensor;

ConvShape conv_shape(const UnitOptions& unit) {
  return {unit.in_channels, unit.out_channels, unit.kernel,
          unit.stride,      unit.dilation,     unit.groups};
}

Tensor pack_patches(const Tensor& weight, const UnitOptions& unit) {
  const int64_t border = (unit.kernel - weight.size(-1)) / 2;
  const auto padded =
      border > 0 ? torch::constant_pad_nd(weight, {border, border, border, border}) : weight;
  return padded.movedim(-3, -1).flatten(-3);
}

Tensor unpack_patches(const Tensor& rows, const UnitOptions& unit) {
  return rows.unflatten(-1, {unit.kernel, unit.kernel, unit.in_channels / unit.groups})
      .movedim(-1, -3);
}

BranchStack stack_branches(const UnitOptions& unit, const BranchTensors& tensors,
                           torch::ScalarType dtype) {
  const Span span("stack of branches");
  const auto k = static_cast<size_t>(unit.branches);
  BranchStack stack;
  const std::vector<Tensor> convs(tensors.weights.begin(), tensors.weights.begin() + k);
  stack.weight = pack_patches(torch::stack(convs), unit);
  if (unit.has_scale()) {
    stack.weight =
        torch::cat({stack.weight, pack_patches(tensors.weights.back(), unit).unsqueeze(0)});
  }
  stack.weight = stack.weight.to(dtype).contiguous();
  stack.gamma = torch::stack(tensors.gammas).to(dtype);
  stack.beta = torch::stack(tensors.betas).to(dtype);
  stack.eps = tensors.eps;
  if (unit.has_skip()) {
    const int64_t per_group = unit.in_channels / unit.groups,
                  centre = unit.kernel * unit.kernel / 2;
    stack.skip = torch::arange(unit.out_channels, stack.gamma.options().dtype(torch::kInt64))
                     .remainder_(per_group)
                     .add_(centre * per_group);
  }
  return stack;
}

std::vector<Tensor> unstack_weights(const Tensor& stacked, const UnitOptions& unit,
                                    const BranchTensors& tensors) {
  const Span span("stack of branches");
  std::vector<Tensor> weights;
  for (size_t i = 0; i < tensors.weights.size(); ++i) {
    const auto& own = tensors.weights[i];
    const int64_t size = own.size(-1), border = (unit.kernel - size) / 2;
    weights.push_back(unpack_patches(stacked[static_cast<int64_t>(i)], unit)
                          .narrow(-1, border, size)
                          .narrow(-2, border, size)
                          .to(own.scalar_type()));
  }
  return weights;
}

}  // namespace mobileone
