#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "mobileone/bench/scale.h"
#include "mobileone/cli/commands.h"
#include "mobileone/cli/options.h"

namespace mobileone::cli {
namespace {

struct ScaleCommand {
  Config config;
  int64_t size = 224, steps = 3;
  std::vector<int64_t> processes = {1, 2, 4, 8, 16, 32, 64};
  double latency_us = 0, gigabytes_per_second = 0;  // 0: measured
  bool json = false;
};

/// Small sums a step that the trainer makes besides the gradients' (train/trainer.cpp).
constexpr int64_t kExchanges = 3;

/// The batches, of one process, that are measured; others lie on the line through them.
constexpr int64_t kSmallBatch = 4, kLargeBatch = 16;

void bench_scale(const ScaleCommand& options) {
  const Config& config = options.config;
  Link link =
      options.latency_us == 0 || options.gigabytes_per_second == 0 ? measure_link() : Link{};
  if (options.latency_us > 0) link.latency = 1e-6 * options.latency_us;
  if (options.gigabytes_per_second > 0) link.bandwidth = 1e9 * options.gigabytes_per_second;
  const auto small = measure_timeline(config, kSmallBatch, options.size, options.steps),
             large = measure_timeline(config, kLargeBatch, options.size, options.steps);
  const auto batch = static_cast<double>(config.schedule.batch_size);
  double bytes = 0;
  for (const double bucket : small.bucket_bytes) bytes += bucket;

  auto json = nlohmann::ordered_json::object();
  json["batch"] = config.schedule.batch_size;
  json["latency_us"] = 1e6 * link.latency;
  json["gigabytes_per_second"] = 1e-9 * link.bandwidth;
  json["gradient_bytes"] = bytes;
  json["buckets"] = small.bucket_bytes.size();
  json["steps"] = nlohmann::json::array();
  if (!options.json) {
    fmt::print(
        "{}, batch {} of {}x{} px over all processes; a process takes {:.0f} ms for {} images, "
        "{:.0f} ms for {}\n",
        to_string(config.model.variant), config.schedule.batch_size, options.size, options.size,
        1e3 * small.step_end, kSmallBatch, 1e3 * large.step_end, kLargeBatch);
    fmt::print("gradients: {:.1f} MB in {} buckets; a message: {:.0f} us, and {:.2f} GB/s\n\n",
               1e-6 * bytes, small.bucket_bytes.size(), 1e6 * link.latency, 1e-9 * link.bandwidth);
    fmt::print("{:>9} {:>7} {:>9} {:>9} {:>10} {:>9} {:>10}  bound by\n", "processes", "images",
               "step, ms", "sums, ms", "exposed, ms", "img/s", "efficiency");
  }
  const double alone =
      scale_step(StepTimeline::at_batch(batch, small, kSmallBatch, large, kLargeBatch), 1, link, 0)
          .seconds;
  for (const int64_t processes : options.processes) {
    const double each = batch / static_cast<double>(processes);
    if (each < 2) {
      if (!options.json)
        fmt::print("{:>9} {:>7.1f}  too few: batch norm needs two images\n", processes, each);
      continue;
    }
    const ScaledStep step =
        scale_step(StepTimeline::at_batch(each, small, kSmallBatch, large, kLargeBatch), processes,
                   link, processes > 1 ? kExchanges : 0);
    const double efficiency = alone / (step.seconds * static_cast<double>(processes));
    json["steps"].push_back({{"processes", processes},
                             {"seconds", step.seconds},
                             {"communication_seconds", step.communication},
                             {"exposed_seconds", step.exposed},
                             {"images_per_second", batch / step.seconds},
                             {"efficiency", efficiency},
                             {"bound", step.bound}});
    if (options.json) continue;
    fmt::print("{:>9} {:>7.1f} {:>9.1f} {:>9.1f} {:>11.1f} {:>9.1f} {:>8.0f} %  {}\n", processes,
               each, 1e3 * step.seconds, 1e3 * step.communication, 1e3 * step.exposed,
               batch / step.seconds, 100 * efficiency, step.bound);
  }
  if (options.json) fmt::print("{}\n", json.dump());
}

}  // namespace

void add_bench_scale(CLI::App& bench) {
  auto options = std::make_shared<ScaleCommand>();
  Config& config = options->config;
  config.ema.decay = 0;
  auto* command = bench.add_subcommand(
      "scale", "Model of a training step on many processes, from what one takes here");
  add_enum_option(*command, "--variant", config.model.variant, "Network");
  add_enum_option(*command, "--device", config.runtime.device, "Where to compute");
  command->add_option("--batch", config.schedule.batch_size, "Images per step, of all processes")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_option("--size", options->size, "Image size, px")
      ->check(CLI::Range(8, 4096))
      ->capture_default_str();
  command->add_option("--threads", config.runtime.threads, "Threads of a process; 0: all cores")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->add_option("--steps", options->steps, "Steps to time, after one to warm up")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_option("--workers", options->processes, "Numbers of processes")
      ->delimiter(',')
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command->add_option("--latency", options->latency_us, "Of a message, µs [Gloo's here, measured]")
      ->check(number_range(0.001, 1e9));
  command
      ->add_option("--bandwidth", options->gigabytes_per_second,
                   "Of a link, GB/s [Gloo's here, measured]")
      ->check(number_range(1e-6, 1e6));
  command->add_flag("--json", options->json, "Print one JSON object and nothing else");
  command->callback([options] { bench_scale(*options); });
}

}  // namespace mobileone::cli
