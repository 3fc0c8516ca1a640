#include "mobileone/bench/peaks.h"

#include <torch/types.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "mobileone/util/seconds.h"

namespace mobileone {
namespace {

/// The shortest of a few runs, seconds.
template <typename F>
double shortest(const F& f) {
  using Clock = std::chrono::steady_clock;
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 6; ++i) {
    const auto start = Clock::now();
    f();
    best = std::min(best, seconds_since(start));
  }
  return best;
}

}  // namespace

MachinePeaks measure_peaks() {
  constexpr int64_t kSize = 1536, kFloats = 32 << 20;
  const auto a = torch::rand({kSize, kSize}), b = torch::rand({kSize, kSize});
  auto c = torch::empty({kSize, kSize});
  const auto from = torch::ones({kFloats});
  auto to = torch::zeros({kFloats});
  return {2e-9 * kSize * kSize * kSize / shortest([&] { torch::mm_out(c, a, b); }),
          8e-9 * kFloats / shortest([&] { to.copy_(from); })};
}

}  // namespace mobileone
