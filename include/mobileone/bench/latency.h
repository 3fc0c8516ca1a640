#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mobileone {

/// A network to time: float32 [N,3,H,W] → logits.
struct TimedModel {
  std::string name;
  std::function<torch::Tensor(const torch::Tensor&)> forward;
};

/// Milliseconds per forward call.
struct Latency {
  std::string name;
  double minimum = 0;
  double median = 0;
  double p95 = 0;
};

/// Times models in turn, so that a drift of the machine's speed hits all alike: `rounds` rounds of
/// `runs` calls each, after warming up, on random input [batch,3,size,size].
std::vector<Latency> measure_latency(const std::vector<TimedModel>& models, int64_t batch,
                                     int64_t size, int64_t rounds = 8, int64_t runs = 10);

}  // namespace mobileone
