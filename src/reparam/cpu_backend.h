#pragma once

#include "mobileone/reparam/backend.h"

namespace mobileone {

// The project's kernels. Sums over pixels are in double.

const Convolutions& cpu_dense();      // dense_conv.cpp
const Convolutions& cpu_depthwise();  // depthwise_conv.cpp
const FoldLoops& cpu_fold_loops();    // fold_loops.cpp
const DirectNorms& cpu_norms();       // direct.cpp
const Gates& cpu_gates();             // gate.cpp

const Backend& cpu_backend();

}  // namespace mobileone
