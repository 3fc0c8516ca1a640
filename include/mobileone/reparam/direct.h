#pragma once

#include <ATen/core/Tensor.h>

#include "mobileone/reparam/fold.h"

namespace mobileone {

/// A unit of one pointwise branch, trained without a covariance: y = W x, then the sum of y's batch
/// norm and, with a skip, of x's. Row 0 of gamma, beta and statistics is the branch's, row 1 the
/// skip's.
struct DirectUnit {
  at::Tensor weight;       ///< [Cout,Cin]
  at::Tensor gamma, beta;  ///< [1 or 2, Cout]
  double eps = 1e-5;

  bool skip() const { return gamma.size(0) > 1; }
};

// Activations as in patch_conv.h.

/// y = W x, [N,Cout,H,W].
at::Tensor direct_conv(const at::Tensor& x, const DirectUnit& unit);

/// Batch mean and biased variance of y and, with a skip, of x: [1 or 2, Cout], float64 on a CPU.
BranchStatistics direct_statistics(const at::Tensor& x, const at::Tensor& y,
                                   const DirectUnit& unit);

/// The sum of the normalised branches, then ReLU if asked.
at::Tensor direct_output(const at::Tensor& x, const at::Tensor& y, const DirectUnit& unit,
                         const BranchStatistics& statistics, bool relu);

struct DirectGradients {
  at::Tensor weight, gamma, beta;  ///< as in DirectUnit
  at::Tensor x;                    ///< undefined unless wanted
};

/// From g = ∂L/∂output, which is overwritten.
DirectGradients direct_backward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& g,
                                const DirectUnit& unit, const BranchStatistics& statistics,
                                bool relu, bool wanted);

}  // namespace mobileone
