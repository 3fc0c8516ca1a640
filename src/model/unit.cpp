#include "mobileone/model/unit.h"

#include <torch/types.h>

#include <algorithm>
#include <utility>

#include "mobileone/model/branch_stack.h"
#include "mobileone/reparam/backend.h"

namespace mobileone {
namespace nn = torch::nn;
using torch::Tensor;

int64_t squeeze_excite_hidden(int64_t channels) { return std::max<int64_t>(1, channels / 16); }

SqueezeExciteImpl::SqueezeExciteImpl(int64_t channels)
    : reduce(nn::Conv2dOptions(channels, squeeze_excite_hidden(channels), 1)),
      expand(nn::Conv2dOptions(squeeze_excite_hidden(channels), channels, 1)) {
  register_module("reduce", reduce);
  register_module("expand", expand);
}

Tensor SqueezeExciteImpl::forward(const Tensor& x) {
  const auto pooled = x.mean({2, 3}, /*keepdim=*/true);
  return x * expand(reduce(pooled).relu_()).sigmoid();
}

ConvBnImpl::ConvBnImpl(const nn::Conv2dOptions& options)
    : conv(options), bn(nn::BatchNorm2dOptions(options.out_channels())) {
  register_module("conv", conv);
  register_module("bn", bn);
}

Tensor ConvBnImpl::forward(const Tensor& x) { return bn(conv(x)); }

namespace {

/// Whether a unit's one convolution is to be computed by our kernels: oneDNN takes a hundred times
/// as long for a depthwise one that dilates. They know no autograd.
bool has_faster_kernel(const UnitOptions& unit, const Tensor& x) {
  const auto type = x.scalar_type();
  return unit.dilation > 1 && unit.groups > 1 && unit.groups == unit.in_channels &&
         unit.groups == unit.out_channels && unit.kernel % 2 == 1 && x.is_cpu() &&
         (type == torch::kFloat32 || type == torch::kFloat64 || type == torch::kBFloat16) &&
         !torch::GradMode::is_enabled();
}

/// x * weight + bias, the weight being [Cout,Cin/groups,K,K].
Tensor convolve(const UnitOptions& unit, const Tensor& x, const Tensor& weight,
                const Tensor& bias) {
  if (!has_faster_kernel(unit, x)) {
    return torch::conv2d(x, weight, bias, unit.stride, unit.padding(), unit.dilation, unit.groups);
  }
  const auto image = x.contiguous(torch::MemoryFormat::ChannelsLast);
  const ConvShape shape = conv_shape(unit);
  return backend_of(image).convolutions(shape).forward(image, {pack_patches(weight, unit), bias},
                                                       /*relu=*/false, shape);
}

}  // namespace

UnitImpl::UnitImpl(UnitOptions unit_options) : options(std::move(unit_options)) {
  const auto& o = options;
  const auto conv = nn::Conv2dOptions(o.in_channels, o.out_channels, o.kernel)
                        .stride(o.stride)
                        .padding(o.padding())
                        .dilation(o.dilation)
                        .groups(o.groups)
                        .bias(o.folded);
  if (o.se) se_ = register_module("se", SqueezeExcite(o.out_channels));
  if (o.folded) {
    reparam_conv_ = register_module("reparam_conv", nn::Conv2d(conv));
    return;
  }
  if (o.has_skip()) rbr_skip_ = register_module("rbr_skip", nn::BatchNorm2d(o.in_channels));
  auto branches = register_module("rbr_conv", nn::ModuleList());
  for (int64_t i = 0; i < o.branches; ++i) {
    rbr_conv_.emplace_back(conv);
    branches->push_back(rbr_conv_.back());
  }
  if (o.has_scale()) {
    rbr_scale_ = register_module(
        "rbr_scale",
        ConvBn(nn::Conv2dOptions(o.in_channels, o.out_channels, 1).groups(o.groups).bias(false)));
  }
}

Tensor UnitImpl::forward(const Tensor& x) {
  Tensor out = options.folded ? convolve(options, x, reparam_conv_->weight, reparam_conv_->bias)
                              : sum_of_branches(x);
  if (se_) out = se_(out);
  return out.relu_();
}

Tensor UnitImpl::forward_folded(const Tensor& x) {
  const FoldedConv conv = fold();
  const auto dtype = rbr_conv_.front()->conv->weight.scalar_type();
  Tensor out = convolve(options, x, conv.weight.to(dtype), conv.bias.to(dtype));
  if (se_) out = se_(out);
  return out.relu_();
}

Tensor UnitImpl::sum_of_branches(const Tensor& x) {
  Tensor out = rbr_conv_.front()(x);
  for (size_t i = 1; i < rbr_conv_.size(); ++i) out += rbr_conv_[i](x);
  if (rbr_scale_) {
    // A 1×1 convolution sees only the pixels it strides over. Taking them first keeps oneDNN from
    // its strided 1×1 backward, which corrupts memory for 3 input channels (torch 2.13).
    const int64_t stride = options.stride;
    out += rbr_scale_(
        stride == 1 ? x : x.slice(2, 0, x.size(2), stride).slice(3, 0, x.size(3), stride));
  }
  if (rbr_skip_) out += rbr_skip_(x);
  return out;
}

BranchTensors UnitImpl::branch_tensors() const {
  BranchTensors tensors;
  const auto add = [&](const nn::BatchNorm2d& norm) {
    tensors.gammas.push_back(norm->weight);
    tensors.betas.push_back(norm->bias);
    tensors.means.push_back(norm->running_mean);
    tensors.vars.push_back(norm->running_var);
    tensors.counters.push_back(norm->num_batches_tracked);
    tensors.eps = norm->options.eps();
    tensors.momentum = *norm->options.momentum();
  };
  const auto add_conv = [&](const ConvBn& branch) {
    tensors.weights.push_back(branch->conv->weight);
    add(branch->bn);
  };
  for (const auto& branch : rbr_conv_) add_conv(branch);
  if (rbr_scale_) add_conv(rbr_scale_);
  if (rbr_skip_) add(rbr_skip_);
  return tensors;
}

FoldedConv UnitImpl::fold() const {
  torch::NoGradGuard no_grad;
  const BranchTensors tensors = branch_tensors();
  const BranchStack branches = stack_branches(options, tensors, torch::kFloat64);
  FoldedConv conv = fold_branches(branches, {torch::stack(tensors.means).to(torch::kFloat64),
                                             torch::stack(tensors.vars).to(torch::kFloat64)});
  conv.weight = unpack_patches(conv.weight, options);
  return conv;
}

}  // namespace mobileone
