#pragma once

#include "mobileone/kernels/rows.h"

namespace mobileone::kernels {

/// The functions of rows.h, which are compiled for each instruction set.
template <typename S>
struct RowKernels {
  decltype(&column_moments<S>) column_moments;
  decltype(&normalise<S>) normalise;
  decltype(&relu_backward<S>) relu_backward;
  decltype(&normalise_backward_sums<S>) normalise_backward_sums;
  decltype(&normalise_backward<S>) normalise_backward;
};

}  // namespace mobileone::kernels
