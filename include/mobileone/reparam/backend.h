#pragma once

#include <ATen/core/Tensor.h>

#include "mobileone/reparam/fold.h"
#include "mobileone/reparam/norm_batch.h"

namespace mobileone {

/// A convolution as folded training sees it: depthwise (groups = channels = outputs) or dense
/// (groups = 1), an odd kernel, zero padding of dilation · (kernel / 2).
struct ConvShape {
  int64_t in_channels = 0, out_channels = 0;
  int64_t kernel = 1, stride = 1, dilation = 1, groups = 1;

  bool depthwise() const { return groups > 1; }
  bool pointwise() const { return kernel == 1 && stride == 1 && !depthwise(); }
  int64_t padding() const { return dilation * (kernel / 2); }
  int64_t output_size(int64_t size) const { return (size - 1) / stride + 1; }
  /// P: K·K, or K·K·Cin in the order of a channels-last image.
  int64_t patch_size() const { return kernel * kernel * (depthwise() ? 1 : in_channels); }
};

/// The moments' part of a patch's gradient, e + D p: D [G,P,P] symmetric, e [G,P]; undefined: none.
struct MomentFactors {
  at::Tensor d, e;
};

/// A unit of one convolution, trained without a covariance: y = x * W, then the sum of y's batch
/// norm and, with a skip, of x's. Row 0 of gamma, beta and statistics is the branch's, row 1 the
/// skip's.
struct DirectUnit {
  at::Tensor weight;       ///< [Cout,P]
  at::Tensor gamma, beta;  ///< [1 or 2, Cout]
  double eps = 1e-5;

  bool skip() const { return gamma.size(0) > 1; }
};

struct DirectGradients {
  at::Tensor weight, gamma, beta;  ///< as in DirectUnit
  at::Tensor x;                    ///< undefined unless wanted
};

// The work of folded training on one kind of device (docs/folded-training.md). Activations are
// [N,C,H,W], channels-last in memory, in float32, float64 or bfloat16; weights and biases in
// float32 or float64; moments and statistics in float64. All tensors are of the device,
// coefficients contiguous.

/// Convolutions of one kind, dense or depthwise.
class Convolutions {
 public:
  virtual ~Convolutions() = default;

  /// Mean and covariance of all patches of x.
  virtual PatchMoments moments(const at::Tensor& x, const ConvShape& shape) const = 0;
  /// x * W + b, then ReLU if asked; the bias may be undefined: none.
  virtual at::Tensor forward(const at::Tensor& x, const FoldedConv& conv, bool relu,
                             const ConvShape& shape) const = 0;
  /// The gradients of weight [Cout,P] and bias [Cout] from g = ∂L/∂y, which is first multiplied in
  /// place with the ReLU's mask y > 0 (y undefined: no ReLU).
  virtual FoldedConv weight_gradient(const at::Tensor& x, const at::Tensor& y, const at::Tensor& g,
                                     const ConvShape& shape) const = 0;
  /// The gradient of x from the masked g: convᵀ(g, W), and e + D p of every patch p.
  virtual at::Tensor input_gradient(const at::Tensor& x, const at::Tensor& g,
                                    const at::Tensor& weight, const MomentFactors& factors,
                                    const ConvShape& shape) const = 0;
};

/// What happens to weights and moments (fold.h).
class FoldLoops {
 public:
  virtual ~FoldLoops() = default;

  virtual TrainingFold forward(const BranchStack& branches, const PatchMoments& moments) const = 0;
  virtual FoldGradients backward(const BranchStack& branches, const PatchMoments& moments,
                                 const TrainingFold& fold, const at::Tensor& weight_gradient,
                                 const at::Tensor& bias_gradient) const = 0;
  /// From moments of `count` patches and their gradients.
  virtual MomentFactors moment_factors(const PatchMoments& moments, const PatchMoments& gradient,
                                       double count) const = 0;
};

/// The batch norms of a direct unit.
class DirectNorms {
 public:
  virtual ~DirectNorms() = default;

  /// Batch mean and biased variance of y and, with a skip, of x: [1 or 2, Cout].
  virtual BranchStatistics statistics(const at::Tensor& x, const at::Tensor& y,
                                      const DirectUnit& unit) const = 0;
  /// The sum of the normalised branches, then ReLU if asked; x may be undefined without a skip.
  virtual at::Tensor output(const at::Tensor& x, const at::Tensor& y, const DirectUnit& unit,
                            const BranchStatistics& statistics, bool relu) const = 0;
  /// From g = ∂L/∂output, which may be overwritten, through norms and convolution; `statistics` are
  /// over `batch`.
  virtual DirectGradients gradients(const at::Tensor& x, const at::Tensor& y, const at::Tensor& g,
                                    const DirectUnit& unit, const BranchStatistics& statistics,
                                    const NormBatch& batch, bool relu, bool wanted,
                                    const ConvShape& shape) const = 0;
};

/// Squeeze-and-excitation's factors on an image and the ReLU after them; gates and their gradients
/// are [N,C] in float32 or float64.
class Gates {
 public:
  virtual ~Gates() = default;

  /// relu(z · gate), a new tensor.
  virtual at::Tensor relu(const at::Tensor& z, const at::Tensor& gate) const = 0;
  /// Multiplies g = ∂L/∂relu(z · gate) in place with the ReLU's mask and returns the gradient of
  /// the gate, [N,C]: the sum of g · z over the pixels.
  virtual at::Tensor gate_gradient(const at::Tensor& z, const at::Tensor& gate,
                                   const at::Tensor& g) const = 0;
  /// g ← g · gate + offset, in place: the gradient of z from the masked g and, through the pooled
  /// mean, from SE's own layers; offset is [N,C].
  virtual void input_gradient(const at::Tensor& g, const at::Tensor& gate,
                              const at::Tensor& offset) const = 0;
};

/// What one kind of device does it with.
struct Backend {
  const Convolutions &dense, &depthwise;
  const FoldLoops& fold;
  const DirectNorms& norms;
  const Gates& gates;

  const Convolutions& convolutions(const ConvShape& shape) const {
    return shape.depthwise() ? depthwise : dense;
  }

  /// The gradient of x from the masked g, the weight and the gradients of the patch moments:
  ///
  ///     dx = convᵀ(g, W) + scatter((2/n) dC (p − m) + dm / n)      over the n patches
  at::Tensor input_gradient(const at::Tensor& x, const at::Tensor& g, const at::Tensor& weight,
                            const PatchMoments& moments, const PatchMoments& gradient,
                            const ConvShape& shape) const;
};

/// The project's kernels on a CPU; on a CUDA device, where they were compiled, LibTorch's products
/// and the project's depthwise kernels; LibTorch's operations elsewhere.
const Backend& backend_of(const at::Tensor& tensor);

/// LibTorch's operations alone, which run on every device: slower, and what the others are checked
/// against.
const Backend& portable_backend();

}  // namespace mobileone
