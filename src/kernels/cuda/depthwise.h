#pragma once

#include <cuda_runtime_api.h>

#include "mobileone/kernels/depthwise.h"

/// The functions of depthwise.h for 3×3 kernels on a CUDA device: all memory is the device's, work
/// is queued on `stream` and divided there, and what goes wrong in queueing is returned. Where
/// those add to sums, these write sums of parts [strips, …] in Compute<S>, for the caller to add
/// up. Instantiated for float, double and bfloat16 activations.
namespace mobileone::kernels::cuda {

/// The number of parts.
int64_t strip_count(const Depthwise& shape);

/// partial [strips, moment_rows, channels], every channel shifted.
template <typename S>
cudaError_t moments(const Depthwise& shape, const S* x, const Compute<S>* shift,
                    Compute<S>* partial, cudaStream_t stream);

template <typename S>
cudaError_t convolve(const Depthwise& shape, const S* x, const Compute<S>* weight,
                     const Compute<S>* bias, bool relu, S* y, cudaStream_t stream);

/// partial [strips, P + 1, channels].
template <typename S>
cudaError_t backward_weight(const Depthwise& shape, const S* x, const S* y, S* g,
                            Compute<S>* partial, cudaStream_t stream);

template <typename S>
cudaError_t backward_input(const Depthwise& shape, const S* x, const S* g,
                           const InputGradient<Compute<S>>& gradient, S* dx, cudaStream_t stream);

template <typename T>
cudaError_t sum_by_offset(const Depthwise& shape, const T* d, const T* e, T* by_offset,
                          cudaStream_t stream);

}  // namespace mobileone::kernels::cuda
