#pragma once

#include <string>
#include <vector>

#include "mobileone/eval/model.h"

namespace mobileone {

/// Milliseconds per forward call.
struct Latency {
  std::string name;
  double minimum = 0;
  double median = 0;
  double p95 = 0;
};

/// Times models in turn, so that a drift of the machine's speed hits all alike: `rounds` rounds of
/// `runs` calls each, after warming up, on random input [batch,3,size,size].
std::vector<Latency> measure_latency(const std::vector<Model>& models, int64_t batch, int64_t size,
                                     int64_t rounds = 8, int64_t runs = 10);

}  // namespace mobileone
