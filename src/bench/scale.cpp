#include "mobileone/bench/scale.h"

#include <torch/types.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>

#include "mobileone/bench/statistics.h"
#include "mobileone/dist/processes.h"
#include "mobileone/util/seconds.h"
#include "random_training.h"

namespace mobileone {
namespace {

using Clock = std::chrono::steady_clock;

/// The shortest of several sums of so many bytes over two processes, as each of them.
double shortest_sum(const Processes& processes, int64_t bytes) {
  constexpr int kTries = 20;
  const auto data = torch::zeros({bytes}, torch::kByte);
  double shortest = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kTries; ++i) {
    processes.meet();
    const auto start = Clock::now();
    processes.sum(data);
    shortest = std::min(shortest, seconds_since(start));
  }
  return shortest;
}

}  // namespace

StepTimeline StepTimeline::at_batch(double batch, const StepTimeline& first, double first_batch,
                                    const StepTimeline& second, double second_batch) {
  const auto at = [&](double a, double b) {
    return std::max(0.0, a + (b - a) * (batch - first_batch) / (second_batch - first_batch));
  };
  StepTimeline timeline{first.bucket_bytes,
                        {},
                        at(first.backward_end, second.backward_end),
                        at(first.step_end, second.step_end)};
  for (size_t i = 0; i < first.bucket_ready.size(); ++i) {
    timeline.bucket_ready.push_back(at(first.bucket_ready[i], second.bucket_ready[i]));
  }
  return timeline;
}

StepTimeline measure_timeline(const Config& config, int64_t images, int64_t size, int64_t steps) {
  RandomTraining training(config, images, size);
  Clock::time_point start;
  std::vector<std::vector<double>> ready;  // [step][bucket]
  std::vector<double> backward_ends, step_ends;
  GradientSum sum(*training.network(), training.state(), [&](const torch::Tensor&) {
    ready.back().push_back(seconds_since(start));
    return [&, last = ready.back().size()] {
      if (last == ready.back().size()) backward_ends.push_back(seconds_since(start));
    };
  });
  for (int64_t i = 0; i <= steps; ++i) {
    ready.emplace_back();
    start = Clock::now();
    training.step(&sum);
    step_ends.push_back(seconds_since(start));
  }
  const auto after_first = [](std::vector<double> values) {
    return quantile({values.begin() + 1, values.end()}, 0.5);
  };
  StepTimeline timeline;
  timeline.backward_end = after_first(backward_ends);
  timeline.step_end = after_first(step_ends);
  const auto element = static_cast<double>(training.state().gradients.element_size());
  for (const int64_t elements : sum.bucket_sizes()) {
    const size_t bucket = timeline.bucket_bytes.size();
    timeline.bucket_bytes.push_back(element * static_cast<double>(elements));
    std::vector<double> times;
    for (const auto& of_step : ready) times.push_back(of_step[bucket]);
    timeline.bucket_ready.push_back(after_first(times));
  }
  return timeline;
}

Link measure_link() {
  constexpr int64_t kSmall = 8, kLarge = 4 << 20;
  const auto processes = Processes::in_threads(2, {});
  Link link;
  std::jthread other([&] {
    shortest_sum(*processes[1], kSmall);
    shortest_sum(*processes[1], kLarge);
  });
  // Two messages each, of half the bytes.
  link.latency = shortest_sum(*processes[0], kSmall) / 2;
  const double large = shortest_sum(*processes[0], kLarge);
  link.bandwidth = static_cast<double>(kLarge) / std::max(1e-9, large - 2 * link.latency);
  return link;
}

double sum_seconds(double bytes, int64_t processes, const Link& link) {
  if (processes == 1) return 0;
  const auto w = static_cast<double>(processes);
  return 2 * (w - 1) * (link.latency + bytes / w / link.bandwidth);
}

ScaledStep scale_step(const StepTimeline& timeline, int64_t processes, const Link& link,
                      int64_t exchanges) {
  ScaledStep step{.processes = processes, .bound = "compute"};
  const double small = static_cast<double>(exchanges) * sum_seconds(0, processes, link);
  double end = 0, waits = small;
  for (size_t i = 0; i < timeline.bucket_bytes.size(); ++i) {
    const double seconds = sum_seconds(timeline.bucket_bytes[i], processes, link);
    end = std::max(end, timeline.bucket_ready[i]) + seconds;
    waits += sum_seconds(0, processes, link);
    step.communication += seconds;
  }
  step.communication += small;
  step.exposed = std::max(0.0, end - timeline.backward_end) + small;
  step.seconds = timeline.step_end + step.exposed;
  constexpr double kMuch = 0.1;
  if (step.exposed > kMuch * step.seconds) {
    step.bound = waits > step.communication / 2 ? "latency" : "bandwidth";
  }
  return step;
}

}  // namespace mobileone
