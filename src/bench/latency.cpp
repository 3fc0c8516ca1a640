#include "mobileone/bench/latency.h"

#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>

#include "mobileone/optim/runtime.h"
#include "mobileone/util/process.h"

namespace mobileone {
namespace {

/// Processor time of all processes and of the host of a virtual machine since the system began; 0
/// where it does not tell.
double all_seconds() {
  std::ifstream stat("/proc/stat");
  std::string cpu;
  double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0, steal = 0;
  stat >> cpu >> user >> nice >> system >> idle >> waiting >> irq >> softirq >> steal;
  if (!stat || cpu != "cpu") return 0;
  return (user + nice + system + irq + softirq + steal) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// How many cores others keep busy while it lives.
class OthersWatch {
 public:
  double cores() const {
    if (all_ == 0) return 0;
    const std::chrono::duration<double> passed = Clock::now() - start_;
    return std::max(0.0, (all_seconds() - all_ - (processor_seconds() - own_)) / passed.count());
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
  double all_ = all_seconds(), own_ = processor_seconds();
};

/// Milliseconds.
double time_call(const TimedModel& model, const torch::Tensor& input) {
  const auto start = std::chrono::steady_clock::now();
  model.forward(input);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

void first_call(const TimedModel& model, const torch::Tensor& input, Latency& latency) {
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins anew
  const double before = peak_rss_mib();
  latency.first = time_call(model, input);
  latency.memory_mib = peak_rss_mib() - before;
}

void summarise(const std::vector<std::vector<double>>& rounds, Latency& latency) {
  const auto pooled = [&](const std::vector<int64_t>& indices) {
    std::vector<double> times;
    for (const int64_t i : indices) times.insert(times.end(), rounds[i].begin(), rounds[i].end());
    return times;
  };
  std::vector<int64_t> all;
  for (const auto& round : rounds) {
    all.push_back(std::ssize(all));
    latency.rounds.push_back(quantile(round, 0.5));
  }
  const std::vector<double> times = pooled(all);
  latency.minimum = quantile(times, 0);
  latency.median = quantile(times, 0.5);
  latency.p95 = quantile(times, 0.95);
  latency.interval =
      bootstrap(std::ssize(rounds), [&](const auto& draw) { return quantile(pooled(draw), 0.5); });
}

}  // namespace

std::vector<std::string> LatencyResults::doubts() const {
  constexpr double kBusy = 0.1, kWide = 0.05;
  std::vector<std::string> lines;
  if (other_cores > kBusy) {
    lines.push_back(fmt::format("other processes kept {:.1f} cores busy", other_cores));
  }
  for (const auto& model : models) {
    const double width = (model.interval.high - model.interval.low) / model.median;
    if (width > kWide) {
      lines.push_back(
          fmt::format("{}: the median is known to {:.0f} % only", model.name, 100 * width));
    }
    const auto middle = model.rounds.begin() + std::ssize(model.rounds) / 2;
    if (middle == model.rounds.begin()) continue;
    const double drift =
        quantile({middle, model.rounds.end()}, 0.5) / quantile({model.rounds.begin(), middle}, 0.5);
    if (std::abs(drift - 1) > kWide) {
      lines.push_back(
          fmt::format("{}: took {:.2f} times as long in the second half", model.name, drift));
    }
  }
  return lines;
}

LatencyResults measure_latency(const std::vector<TimedModel>& models,
                               const LatencyOptions& options) {
  torch::NoGradGuard no_grad;
  set_threads(options.threads);
  keep_freed_memory();
  std::vector<torch::Tensor> inputs;
  LatencyResults results;
  for (const auto& model : models) {
    const auto& input = inputs.emplace_back(
        torch::randn({options.batch, model.channels, options.size, options.size}));
    first_call(model, input, results.models.emplace_back(Latency{.name = model.name}));
    for (int64_t i = 0; i < options.runs; ++i) time_call(model, input);
  }
  std::vector<std::vector<std::vector<double>>> times(models.size());  // [model][round][run]
  const OthersWatch others;
  for (int64_t round = 0; round < options.rounds; ++round) {
    for (size_t m = 0; m < models.size(); ++m) {
      auto& calls = times[m].emplace_back();
      time_call(models[m], inputs[m]);  // fetches its weights from memory again
      for (int64_t i = 0; i < options.runs; ++i) calls.push_back(time_call(models[m], inputs[m]));
    }
  }
  results.other_cores = others.cores();
  for (size_t m = 0; m < models.size(); ++m) summarise(times[m], results.models[m]);
  return results;
}

}  // namespace mobileone
