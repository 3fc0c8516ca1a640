#include "mobileone/reparam/backend.h"

#include <ATen/ops/zeros.h>

#include "aten_backend.h"
#include "cpu_backend.h"
#ifdef MOBILEONE_CUDA
#include "cuda/cuda_backend.h"
#endif

namespace mobileone {
using at::Tensor;

PatchMoments Backend::moments(const Tensor& x, const ConvShape& shape) const {
  return shape.depthwise() ? depthwise_moments(x, shape) : dense_moments(x, shape);
}

Tensor Backend::convolve(const Tensor& x, const FoldedConv& conv, bool relu,
                         const ConvShape& shape) const {
  if (!shape.depthwise()) return dense_forward(x, conv, relu, shape);
  if (conv.bias.defined()) return depthwise_forward(x, conv, relu, shape);
  const auto no_bias = at::zeros({conv.weight.size(0)}, conv.weight.options());
  return depthwise_forward(x, {conv.weight, no_bias}, relu, shape);
}

FoldedConv Backend::weight_gradient(const Tensor& x, const Tensor& y, const Tensor& g,
                                    const ConvShape& shape) const {
  return shape.depthwise() ? depthwise_weight(x, y, g, shape) : dense_weight(x, y, g, shape);
}

Tensor Backend::input_gradient(const Tensor& x, const Tensor& g, const Tensor& weight,
                               const PatchMoments& moments, const PatchMoments& gradient,
                               const ConvShape& shape) const {
  const auto factors =
      moment_factors(moments, {gradient.mean.contiguous(), gradient.covariance.contiguous()},
                     static_cast<double>(g.numel() / g.size(1)));
  return shape.depthwise() ? depthwise_input(x, g, weight, factors, shape)
                           : dense_input(x, g, weight, factors, shape);
}

Tensor Backend::input_gradient(const Tensor& x, const Tensor& g, const Tensor& weight,
                               const ConvShape& shape) const {
  return shape.depthwise() ? depthwise_input(x, g, weight, {}, shape)
                           : dense_input(x, g, weight, {}, shape);
}

const Backend& backend_of(const Tensor& tensor) {
  static const CpuBackend cpu;
  if (tensor.is_cpu()) return cpu;
#ifdef MOBILEONE_CUDA
  static const CudaBackend cuda;
  if (tensor.is_cuda()) return cuda;
#endif
  return portable_backend();
}

const Backend& portable_backend() {
  static const AtenBackend aten;
  return aten;
}

}  // namespace mobileone
