#include "mobileone/reparam/backend.h"

#include "cpu_backend.h"
#ifdef MOBILEONE_CUDA
#include "cuda/cuda_backend.h"
#endif

namespace mobileone {
using at::Tensor;

Tensor Backend::input_gradient(const Tensor& x, const Tensor& g, const Tensor& weight,
                               const PatchMoments& moments, const PatchMoments& gradient,
                               const ConvShape& shape) const {
  const auto factors =
      fold.moment_factors(moments, {gradient.mean.contiguous(), gradient.covariance.contiguous()},
                          static_cast<double>(g.numel() / g.size(1)));
  return convolutions(shape).input_gradient(x, g, weight, factors, shape);
}

const Backend& backend_of(const Tensor& tensor) {
  if (tensor.is_cpu()) return cpu_backend();
#ifdef MOBILEONE_CUDA
  if (tensor.is_cuda()) return cuda_backend();
#endif
  return portable_backend();
}

const Backend& cpu_backend() {
  static const Backend cpu{cpu_dense(), cpu_depthwise(), cpu_fold_loops(), cpu_norms(),
                           cpu_gates()};
  return cpu;
}

}  // namespace mobileone
