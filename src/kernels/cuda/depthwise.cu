#include "cuda/depthwise.h"
#include "cuda/depthwise_threads.h"

namespace mobileone::kernels::cuda {
namespace {

/// Channels of a block, and parts that it works on.
constexpr unsigned kBlockChannels = 32, kBlockParts = 4;

/// Calls f(part, channel) on a thread of its own for every part and channel.
template <typename F>
__global__ void run(int64_t parts, int64_t channels, F f) {
  const int64_t part = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y,
                channel = static_cast<int64_t>(blockIdx.y) * blockDim.x + threadIdx.x;
  if (part < parts && channel < channels) f(part, channel);
}

template <typename F>
cudaError_t launch(int64_t parts, int64_t channels, cudaStream_t stream, const F& f) {
  const dim3 block(kBlockChannels, kBlockParts),
      grid(static_cast<unsigned>((parts + kBlockParts - 1) / kBlockParts),
           static_cast<unsigned>((channels + kBlockChannels - 1) / kBlockChannels));
  run<<<grid, block, 0, stream>>>(parts, channels, f);
  return cudaGetLastError();
}

}  // namespace

int64_t strip_count(const Depthwise& shape) { return strips(shape); }

template <typename S>
cudaError_t moments(const Depthwise& shape, const S* x, const Compute<S>* shift,
                    Compute<S>* partial, cudaStream_t stream) {
  return launch(strips(shape), shape.channels, stream,
                [=] __device__(int64_t strip, int64_t channel) {
                  moments_of_strip(shape, strip, channel, x, shift, partial);
                });
}

template <typename S>
cudaError_t convolve(const Depthwise& shape, const S* x, const Compute<S>* weight,
                     const Compute<S>* bias, bool relu, S* y, cudaStream_t stream) {
  return launch(strips(shape), shape.channels, stream,
                [=] __device__(int64_t strip, int64_t channel) {
                  convolve_strip(shape, strip, channel, x, weight, bias, relu, y);
                });
}

template <typename S>
cudaError_t backward_weight(const Depthwise& shape, const S* x, const S* y, S* g,
                            Compute<S>* partial, cudaStream_t stream) {
  return launch(strips(shape), shape.channels, stream,
                [=] __device__(int64_t strip, int64_t channel) {
                  backward_weight_of_strip(shape, strip, channel, x, y, g, partial);
                });
}

template <typename S>
cudaError_t backward_input(const Depthwise& shape, const S* x, const S* g,
                           const InputGradient<Compute<S>>& gradient, S* dx, cudaStream_t stream) {
  const int64_t rows = shape.images * shape.height;
  if (gradient.by_offset != nullptr) {
    return launch(rows, shape.channels, stream, [=] __device__(int64_t row, int64_t channel) {
      backward_input_of_row_by_offset(shape, row, channel, x, g, gradient, dx);
    });
  }
  return launch(rows, shape.channels, stream, [=] __device__(int64_t row, int64_t channel) {
    backward_input_of_row(shape, row, channel, x, g, gradient, dx);
  });
}

template <typename T>
cudaError_t sum_by_offset(const Depthwise& shape, const T* d, const T* e, T* by_offset,
                          cudaStream_t stream) {
  return launch(Depthwise::kPixelKinds, shape.channels, stream,
                [=] __device__(int64_t kind, int64_t channel) {
                  sum_factors(shape, channel, 1, kind, d, e, by_offset);
                });
}

#define MOBILEONE_INSTANTIATE(S)                                                                  \
  template cudaError_t moments(const Depthwise&, const S*, const Compute<S>*, Compute<S>*,        \
                               cudaStream_t);                                                     \
  template cudaError_t convolve(const Depthwise&, const S*, const Compute<S>*, const Compute<S>*, \
                                bool, S*, cudaStream_t);                                          \
  template cudaError_t backward_weight(const Depthwise&, const S*, const S*, S*, Compute<S>*,     \
                                       cudaStream_t);                                             \
  template cudaError_t backward_input(const Depthwise&, const S*, const S*,                       \
                                      const InputGradient<Compute<S>>&, S*, cudaStream_t);
MOBILEONE_INSTANTIATE(float)
MOBILEONE_INSTANTIATE(double)
MOBILEONE_INSTANTIATE(bfloat16)
#undef MOBILEONE_INSTANTIATE
template cudaError_t sum_by_offset(const Depthwise&, const float*, const float*, float*,
                                   cudaStream_t);
template cudaError_t sum_by_offset(const Depthwise&, const double*, const double*, double*,
                                   cudaStream_t);

}  // namespace mobileone::kernels::cuda
