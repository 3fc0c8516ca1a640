#pragma once

#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

namespace mobileone {

/// A seeded stream of random numbers (xoshiro256**, Blackman & Vigna 2018; seeded by SplitMix64).
/// The same seed and keys give the same numbers on every machine: nothing here depends on the
/// standard library's distributions.
class Random {
 public:
  /// An independent stream per (seed, keys...), for instance (seed, {epoch, index}).
  explicit Random(uint64_t seed, std::initializer_list<uint64_t> keys = {});

  /// 64 uniform bits.
  uint64_t bits();
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Uniform in [low, high).
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform integer in [0, n), without bias; n > 0.
  int64_t integer(int64_t n);
  /// True with probability p.
  bool chance(double p) { return uniform() < p; }
  /// Standard normal (Box–Muller).
  double normal();

  /// Fisher–Yates.
  template <typename T>
  void shuffle(std::vector<T>& values) {
    for (int64_t i = static_cast<int64_t>(values.size()) - 1; i > 0; --i) {
      std::swap(values[i], values[integer(i + 1)]);
    }
  }

 private:
  uint64_t state_[4];
};

}  // namespace mobileone
