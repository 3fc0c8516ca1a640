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
  BranchStack stack;
  for (const auto& weight : tensors.weights) {
    stack.weights.push_back(pack_patches(weight, unit).to(dtype).contiguous());
  }
  stack.gamma = torch::stack(tensors.gammas).to(dtype);
  stack.beta = torch::stack(tensors.betas).to(dtype);
  stack.eps = tensors.eps;
  if (unit.has_skip()) {
    const int64_t per_group = unit.in_channels / unit.groups,
                  centre = unit.kernel * unit.kernel / 2;
    const auto skip = torch::empty({unit.out_channels}, torch::kInt64);
    for (int64_t o = 0; o < unit.out_channels; ++o) {
      skip.data_ptr<int64_t>()[o] = centre * per_group + o % per_group;
    }
    stack.skip = skip.to(stack.gamma.device());
  }
  return stack;
}

std::vector<Tensor> unpack_gradients(const std::vector<Tensor>& rows, const UnitOptions& unit,
                                     const BranchTensors& tensors) {
  const Span span("stack of branches");
  std::vector<Tensor> weights;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto& own = tensors.weights[i];
    const int64_t size = own.size(-1), border = (unit.kernel - size) / 2;
    auto weight = unpack_patches(rows[i], unit);
    if (border > 0) weight = weight.narrow(-1, border, size).narrow(-2, border, size);
    weights.push_back(weight.to(own.scalar_type()));
  }
  return weights;
}

}  // namespace mobileone
