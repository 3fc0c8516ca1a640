#pragma once

#include <ATen/ATen.h>

#include "mobileone/kernels/depthwise.h"
#include "mobileone/reparam/backend.h"
#include "storage.h"

namespace mobileone {

// What the depthwise kernels of every device are given.

inline kernels::Depthwise depthwise_geometry(const at::Tensor& x, const ConvShape& shape) {
  return {x.size(0), x.size(2), x.size(3), x.size(1), shape.kernel, shape.stride, shape.dilation};
}

/// Coefficients [C,...] → [...,C] in the dtype in which kernels compute on S.
template <typename S>
at::Tensor channels_to_end(const at::Tensor& values) {
  return values.movedim(0, -1).to(kComputeType<S>).contiguous();
}

/// Likewise a bias, zeros where there is none.
template <typename S>
at::Tensor bias_of(const FoldedConv& conv) {
  if (conv.bias.defined()) return conv.bias.to(kComputeType<S>);
  return at::zeros({conv.weight.size(0)}, conv.weight.options().dtype(kComputeType<S>));
}

/// [N,C,height,width] with N and C as `like`, channels-last.
inline at::Tensor empty_image(const at::Tensor& like, int64_t height, int64_t width) {
  return at::empty({like.size(0), like.size(1), height, width}, like.options(),
                   at::MemoryFormat::ChannelsLast);
}

/// The coefficients of the gradient of an input, and the memory that they lie in; `by_offset` is
/// still to be filled, if there is one.
template <typename S>
struct InputFactors {
  using T = kernels::Compute<S>;

  InputFactors(const at::Tensor& of_weight, const MomentFactors& factors, int64_t by_offset_size)
      : weight(channels_to_end<S>(of_weight)),
        d(factors.d.defined() ? channels_to_end<S>(factors.d) : at::Tensor()),
        e(factors.d.defined() ? channels_to_end<S>(factors.e) : at::Tensor()),
        by_offset(at::empty({by_offset_size}, weight.options())),
        terms{data_of<T>(weight), d.defined() ? data_of<T>(d) : nullptr,
              e.defined() ? data_of<T>(e) : nullptr,
              by_offset_size > 0 ? data_of<T>(by_offset) : nullptr} {}

  at::Tensor weight, d, e, by_offset;
  kernels::InputGradient<T> terms;
};

}  // namespace mobileone
