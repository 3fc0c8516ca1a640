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

/// [N,C,height,width] with N and C as `like`, channels-last.
inline at::Tensor empty_image(const at::Tensor& like, int64_t height, int64_t width) {
  return at::empty({like.size(0), like.size(1), height, width}, like.options(),
                   at::MemoryFormat::ChannelsLast);
}

}  // namespace mobileone
