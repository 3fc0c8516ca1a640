#include "mobileone/bench/latency.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>

namespace mobileone {
namespace {

double time_call(const TimedModel& model, const torch::Tensor& input) {
  const auto start = std::chrono::steady_clock::now();
  model.forward(input);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace

std::vector<Latency> measure_latency(const std::vector<TimedModel>& models, int64_t batch,
                                     int64_t size, int64_t rounds, int64_t runs) {
  torch::NoGradGuard no_grad;
  std::vector<std::vector<double>> times(models.size());
  const auto input = torch::randn({batch, 3, size, size});
  for (const auto& model : models) {
    for (int64_t i = 0; i < runs; ++i) time_call(model, input);
  }
  for (int64_t round = 0; round < rounds; ++round) {
    for (size_t m = 0; m < models.size(); ++m) {
      for (int64_t i = 0; i < runs; ++i) times[m].push_back(time_call(models[m], input));
    }
  }
  std::vector<Latency> results;
  for (size_t m = 0; m < models.size(); ++m) {
    std::sort(times[m].begin(), times[m].end());
    const auto quantile = [&](double q) {
      return times[m][static_cast<size_t>(q * (times[m].size() - 1))];
    };
    results.push_back({models[m].name, times[m].front(), quantile(0.5), quantile(0.95)});
  }
  return results;
}

}  // namespace mobileone
