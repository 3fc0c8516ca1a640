#include "cuda_backend.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "../aten_backend.h"
#include "../depthwise_conv.h"
#include "kernels/cuda/depthwise.h"

namespace mobileone {
namespace {

using at::Tensor;
using kernels::Compute;
using kernels::Depthwise;

/// For the convolutions that have no kernel here.
const Convolutions& portable() { return portable_backend().depthwise; }

bool has_kernel(const ConvShape& shape) { return shape.kernel == 3; }

/// Calls f(tag of the storage type, stream) on the device of x.
template <typename F>
void on_device(const Tensor& x, const F& f) {
  const c10::cuda::CUDAGuard guard(x.device());
  with_storage(x.scalar_type(), [&](auto tag) {
    C10_CUDA_CHECK(f(tag, c10::cuda::getCurrentCUDAStream().stream()));
  });
}

Tensor empty_parts(const Tensor& x, const Depthwise& geometry, int64_t rows) {
  return at::empty({kernels::cuda::strip_count(geometry), rows, geometry.channels},
                   x.options().dtype(compute_type(x)));
}

class CudaDepthwise final : public Convolutions {
 public:
  PatchMoments moments(const Tensor& x, const ConvShape& shape) const override {
    if (!has_kernel(shape)) return portable().moments(x, shape);
    const Depthwise g = depthwise_geometry(x, shape);
    const auto parts = empty_parts(x, g, g.moment_rows());
    // Any value near the mean keeps the second moments from cancelling.
    const auto shift = x.mean({0, 2, 3}, /*keepdim=*/false, parts.scalar_type());
    on_device(x, [&](auto tag, cudaStream_t stream) {
      using S = decltype(tag);
      return kernels::cuda::moments(g, data_of<const S>(x), data_of<const Compute<S>>(shift),
                                    data_of<Compute<S>>(parts), stream);
    });
    const int64_t taps = g.taps();
    const double n = static_cast<double>(g.images * g.out_height() * g.out_width());
    const auto all = parts.sum(0, /*keepdim=*/false, at::kDouble).div_(n).t();  // [C, rows]
    const auto mean = all.narrow(1, 0, taps), products = all.narrow(1, taps, all.size(1) - taps);
    const auto index = at::triu_indices(taps, taps, 0, x.options().dtype(at::kLong));
    auto covariance = at::empty({g.channels, taps, taps}, all.options());
    const auto put = [&](const Tensor& row, const Tensor& column) {
      covariance.view({g.channels, -1}).index_copy_(1, row * taps + column, products);
    };
    put(index[0], index[1]);
    put(index[1], index[0]);
    covariance -= mean.unsqueeze(2) * mean.unsqueeze(1);
    return {mean + shift.unsqueeze(1), covariance};
  }

  Tensor forward(const Tensor& x, const FoldedConv& conv, bool relu,
                 const ConvShape& shape) const override {
    if (!has_kernel(shape)) return portable().forward(x, conv, relu, shape);
    const Depthwise g = depthwise_geometry(x, shape);
    auto y = empty_image(x, g.out_height(), g.out_width());
    on_device(x, [&](auto tag, cudaStream_t stream) {
      using S = decltype(tag);
      const auto weight = channels_to_end<S>(conv.weight), bias = bias_of<S>(conv);
      return kernels::cuda::convolve(g, data_of<const S>(x), data_of<const Compute<S>>(weight),
                                     data_of<const Compute<S>>(bias), relu, data_of<S>(y), stream);
    });
    return y;
  }

  FoldedConv weight_gradient(const Tensor& x, const Tensor& y, const Tensor& gradient,
                             const ConvShape& shape) const override {
    if (!has_kernel(shape)) return portable().weight_gradient(x, y, gradient, shape);
    const Depthwise g = depthwise_geometry(x, shape);
    const auto parts = empty_parts(x, g, g.taps() + 1);
    on_device(x, [&](auto tag, cudaStream_t stream) {
      using S = decltype(tag);
      return kernels::cuda::backward_weight(
          g, data_of<const S>(x), y.defined() ? data_of<const S>(y) : nullptr, data_of<S>(gradient),
          data_of<Compute<S>>(parts), stream);
    });
    const auto all = parts.sum(0, /*keepdim=*/false, at::kDouble);
    return {all.narrow(0, 0, g.taps()).t().contiguous(), all[g.taps()]};
  }

  Tensor input_gradient(const Tensor& x, const Tensor& gradient, const Tensor& weight,
                        const MomentFactors& factors, const ConvShape& shape) const override {
    if (!has_kernel(shape) || !factors.d.defined()) {
      return portable().input_gradient(x, gradient, weight, factors, shape);
    }
    const Depthwise g = depthwise_geometry(x, shape);
    auto dx = empty_image(x, g.height, g.width);
    on_device(x, [&](auto tag, cudaStream_t stream) {
      using S = decltype(tag);
      using T = Compute<S>;
      const bool fast = g.has_fast_path();
      const InputFactors<S> own(weight, factors, fast ? g.by_offset_size() : 0);
      if (fast) {
        C10_CUDA_CHECK(kernels::cuda::sum_by_offset(g, own.terms.d, own.terms.e,
                                                    data_of<T>(own.by_offset), stream));
      }
      return kernels::cuda::backward_input(g, data_of<const S>(x), data_of<const S>(gradient),
                                           own.terms, data_of<S>(dx), stream);
    });
    return dx;
  }
};

}  // namespace

const Backend& cuda_backend() {
  static const Backend& portable = portable_backend();
  static const CudaDepthwise depthwise;
  static const AtenNorms norms(portable.dense, depthwise);
  static const Backend cuda{portable.dense, depthwise, portable.fold, norms, portable.gates};
  return cuda;
}

}  // namespace mobileone
