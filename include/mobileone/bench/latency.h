#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "mobileone/bench/statistics.h"

namespace mobileone {

/// A network to time.
struct TimedModel {
  std::string name;
  /// float32 [N,channels,H,W] → logits.
  std::function<torch::Tensor(const torch::Tensor&)> forward;
  int64_t channels = 3;
};

/// Milliseconds per forward call.
struct Latency {
  std::string name;
  double first = 0;  ///< the first call, which prepares what the others use
  double minimum = 0;
  double median = 0;
  double p95 = 0;
  Interval interval = {};  ///< 95 % of the median, by bootstrap over rounds
  double memory_mib = 0;   ///< by which the first call raised the most memory resident at a time
  /// Of each round's median, in order.
  std::vector<double> rounds = {};
};

struct LatencyOptions {
  int64_t batch = 1, size = 224;  ///< of the random input [batch,3,size,size]
  int64_t threads = 1;
  int64_t rounds = 20, runs = 5;  ///< calls of a model one after the other in each round
};

/// Latencies of models, and whether anything else made the machine busy meanwhile.
struct LatencyResults {
  std::vector<Latency> models = {};
  double other_cores = 0;  ///< that other processes kept busy on average; 0 where no system tells

  /// Why these numbers may not come again within 5 %: one line each, of none if they should.
  std::vector<std::string> doubts() const;
};

/// Times models in turn, so that a drift of the machine's speed hits all alike: `rounds` rounds of
/// `runs` calls of each, after the first call and as many to warm up. Sets the number of threads.
LatencyResults measure_latency(const std::vector<TimedModel>& models,
                               const LatencyOptions& options);

}  // namespace mobileone
