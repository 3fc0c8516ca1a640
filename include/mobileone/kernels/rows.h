#pragma once

#include <cstdint>

#include "mobileone/kernels/types.h"

/// Passes over matrices [rows, channels] whose rows are pixels: what stands between the products of
/// a pointwise unit. One thread each: the caller divides rows between threads. Instantiated for
/// float, double and bfloat16; arithmetic is in the compute type, sums are in double.
namespace mobileone::kernels {

/// Adds to sums [2, channels] the sums of x − shift and of its square.
template <typename S>
void column_moments(int64_t rows, int64_t channels, const S* x, const Compute<S>* shift,
                    double* sums);

/// A batch norm in training, once its statistics are known, as factors of each channel: z = scale ·
/// y + bias + skip · x.
template <typename T>
struct Affine {
  const T* scale = nullptr;
  const T* bias = nullptr;
  const T* skip = nullptr;  ///< null: no skip
};

/// out = relu(z), or z. `out` may be `y`.
template <typename S>
void normalise(int64_t rows, int64_t channels, const S* y, const S* x,
               const Affine<Compute<S>>& affine, bool relu, S* out);

/// Multiplies g = ∂L/∂relu(y) in place with the mask y > 0 (no mask where y is null) and adds its
/// column sums to sums [channels].
template <typename S>
void relu_backward(int64_t rows, int64_t channels, const S* y, S* g, double* sums);

/// Multiplies g in place with the mask z > 0 (if relu) and adds to sums [3, channels] the sums of
/// g, g (y − shift) and g (x − shift_skip).
template <typename S>
void normalise_backward_sums(int64_t rows, int64_t channels, const S* y, const S* x,
                             const Affine<Compute<S>>& affine, bool relu, const Compute<S>* shift,
                             const Compute<S>* shift_skip, S* g, double* sums);

/// The gradient of a batch norm's input from that of its output, by channel: a · g + b · (input −
/// shift) + c.
template <typename T>
struct NormGradient {
  const T* a = nullptr;
  const T* b = nullptr;
  const T* c = nullptr;
  const T* shift = nullptr;
};

/// dx = the skip's gradient from g and x, where `x` is not null; then g = the main branch's
/// gradient from g and y, in place.
template <typename S>
void normalise_backward(int64_t rows, int64_t channels, const S* y, const S* x,
                        const NormGradient<Compute<S>>& main, const NormGradient<Compute<S>>& skip,
                        S* g, S* dx);

}  // namespace mobileone::kernels
