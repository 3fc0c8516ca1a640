#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mobileone/config/config.h"

namespace mobileone {

/// One kernel of training's on one thread, at the size of one unit of a network.
struct KernelSpeed {
  std::string kernel;   ///< "product", "depthwise input, stride 2"
  std::string unit;     ///< the first that has this size: "stage2.0"
  int64_t units = 0;    ///< that have it
  double flops = 0;     ///< floating-point operations
  double bytes = 0;     ///< from and to memory; 0: of operands that stay in cache
  double seconds = 0;   ///< at best
  double at_peaks = 0;  ///< seconds at the peak of arithmetic or of memory, whichever is longer
};

struct KernelSpeeds {
  double gflops = 0;  ///< of multiply-adds in registers
  double gigabytes_per_second = 0;
  std::vector<KernelSpeed> kernels;
};

/// Times the kernels in the instruction set in use at all sizes that units of a network have for
/// images of 224 px, and between their runs what bounds them, since a processor's clock changes:
/// the shortest of `rounds` of each counts. Memory that is written without being read counts
/// twice, since processors read it, too.
KernelSpeeds measure_kernels(Variant variant, Precision precision, int64_t rounds);

}  // namespace mobileone
