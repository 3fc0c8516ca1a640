#pragma once

#include <algorithm>
#include <cstdint>

#include "mobileone/kernels/types.h"

/// Depthwise convolutions of odd kernels on channels-last memory, and the moments of the patches
/// that they see. Every function works on a range of tasks, each one group of channels of one
/// image, on the calling thread: the caller divides `tasks()` between threads. A tap is a position
/// in the kernel, row by row; P = kernel² of them. Coefficients lie [tap][channel]. Instantiated
/// for float, double and bfloat16 activations; arithmetic is in the compute
/// type, sums are in double.
namespace mobileone::kernels {

/// x [images,height,width,channels] → y [images,out_height,out_width,channels], zero padding of
/// dilation · (kernel / 2).
struct Depthwise {
  int64_t images = 0, height = 0, width = 0, channels = 0;
  int64_t kernel = 3, stride = 1, dilation = 1;

  /// Channels of a task, and of a block that is summed fast or not.
  static constexpr int64_t kGroup = 64, kBlock = 16;
  /// Kinds of input pixels by the taps that see them, and factors of each kind: 25 of x by offset
  /// and a constant.
  static constexpr int64_t kPixelKinds = 16, kOffsetFactors = 26;

  constexpr int64_t taps() const { return kernel * kernel; }
  constexpr int64_t padding() const { return dilation * (kernel / 2); }
  constexpr int64_t out_height() const { return (height - 1) / stride + 1; }
  constexpr int64_t out_width() const { return (width - 1) / stride + 1; }
  constexpr int64_t blocks() const { return (channels + kBlock - 1) / kBlock; }
  constexpr int64_t groups() const { return (channels + kGroup - 1) / kGroup; }
  constexpr int64_t tasks() const { return images * groups(); }
  /// Rows of input under a row of output.
  constexpr int64_t window_rows() const { return 2 * padding() + 1; }
  /// Those of them that are ever on the image.
  constexpr int64_t image_rows() const { return std::min(window_rows(), height); }
  /// Rows of sums that `moments` adds to: P sums and P (P + 1) / 2 products, upper half by rows;
  /// the fast way's sums fit in too.
  constexpr int64_t moment_rows() const { return taps() + taps() * (taps() + 1) / 2; }
  /// Whether the fast way of `moments` and of `convolve` knows this kernel.
  constexpr bool has_fast_path() const { return kernel == 3 && stride == 1 && dilation == 1; }
  /// Whether that of `backward_input` does, and the elements of its factors.
  constexpr bool has_fast_input() const { return kernel == 3 && stride <= 2 && dilation == 1; }
  constexpr int64_t by_offset_size() const {
    return blocks() * kPixelKinds * kOffsetFactors * kBlock;
  }
};

/// Adds to sums [moment_rows, channels] the sums of p_i − s and of (p_i − s)(p_j − s), i ≤ j, over
/// the output positions, where p is the patch with its zero padding and s is shift [channels].
/// Blocks with fast[block] set (stride 1, 3×3) are not shifted and are summed by offset: a third
/// of the products, of which `finish_moments` makes the rest.
template <typename S>
void moments(const Depthwise& shape, int64_t begin, int64_t end, const S* x,
             const Compute<S>* shift, const bool* fast, double* sums);

/// From the sums over all tasks: mean [channels, P] and covariance [channels, P, P] (biased) of
/// the patches, for channels [begin, end).
template <typename T>
void finish_moments(const Depthwise& shape, int64_t begin, int64_t end, const T* shift,
                    const bool* fast, const double* sums, double* mean, double* covariance);

/// y = x * weight + bias, then ReLU if asked.
template <typename S>
void convolve(const Depthwise& shape, int64_t begin, int64_t end, const S* x,
              const Compute<S>* weight, const Compute<S>* bias, bool relu, S* y);

/// Multiplies g = ∂L/∂y in place with the ReLU's mask (y > 0; no mask where y is null) and adds to
/// sums [P + 1, channels] the gradients of weight and bias.
template <typename S>
void backward_weight(const Depthwise& shape, int64_t begin, int64_t end, const S* x, const S* y,
                     S* g, double* sums);

/// How the gradient of the input depends on g and x. The moments' part of the gradient of a
/// patch, e_i + Σ_j D_ij p_j, is D [P, P, channels] (symmetric in i and j) and e [P, channels]. For
/// the fast way, `by_offset` [blocks, kinds, 26, kBlock] holds its sums over the taps that see a
/// pixel, for each kind of pixel; `sum_by_offset` makes it.
template <typename T>
struct InputGradient {
  const T* weight = nullptr;
  const T* d = nullptr;  ///< null with e: no moments' part
  const T* e = nullptr;
  const T* by_offset = nullptr;  ///< null: the general way
};

/// dx = the gradient of x, from the masked g. Writes every element of dx.
template <typename S>
void backward_input(const Depthwise& shape, int64_t begin, int64_t end, const S* x, const S* g,
                    const InputGradient<Compute<S>>& gradient, S* dx);

/// Fills by_offset for blocks [begin, end) of channels.
template <typename T>
void sum_by_offset(const Depthwise& shape, int64_t begin, int64_t end, const T* d, const T* e,
                   T* by_offset);

}  // namespace mobileone::kernels
