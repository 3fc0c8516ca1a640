#pragma once

namespace mobileone {

/// What all threads of this machine reach at best in a short measurement, to judge parts of a
/// program by.
struct MachinePeaks {
  double gflops = 0;                ///< of a large float32 matrix product
  double gigabytes_per_second = 0;  ///< of a copy of 256 MiB, read and written
};

MachinePeaks measure_peaks();

}  // namespace mobileone
