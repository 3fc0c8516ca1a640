#pragma once

#include "mobileone/reparam/backend.h"

namespace mobileone {

/// A direct unit's norms as factors of each channel, z = Σ scale · input + bias: scales [1 or 2,C],
/// bias [C], in float64.
struct NormFactors {
  at::Tensor scales, bias;
};

NormFactors norm_factors(const DirectUnit& unit, const BranchStatistics& statistics);

/// The gradients of a direct unit's norms from sums over the pixels: the masked g's [C] and those
/// of g (input − shift), [1 or 2,C], where `shift` is the statistics' mean as rounded to the
/// activations' precision. The gradient of each norm's input is a · g + b · (input − shift) + c,
/// where b and c depend on sums over the whole `batch`, those of gamma and beta on the sums given.
struct NormGradients {
  at::Tensor gamma, beta;  ///< [1 or 2,C]
  at::Tensor terms;        ///< a, b and c: [3, 1 or 2, C]
};

NormGradients norm_gradients(const DirectUnit& unit, const BranchStatistics& statistics,
                             const at::Tensor& shift, const at::Tensor& g_sum,
                             const at::Tensor& products, const NormBatch& batch,
                             int64_t own_positions);

}  // namespace mobileone
