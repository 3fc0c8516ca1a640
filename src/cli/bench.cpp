#include <ATen/Parallel.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mobileone/bench/latency.h"
#include "mobileone/bench/peaks.h"
#include "mobileone/bench/training.h"
#include "mobileone/cli/commands.h"
#include "mobileone/cli/options.h"
#include "mobileone/dist/processes.h"
#include "mobileone/eval/model.h"
#include "mobileone/optim/memory.h"
#include "mobileone/optim/runtime.h"

namespace mobileone::cli {
namespace {

struct BenchLatencyOptions {
  std::vector<std::string> models;
  std::vector<int64_t> threads = {1};
  int64_t batch = 1, size = 0, rounds = LatencyOptions{}.rounds;
  InferenceRuntime runtime = InferenceRuntime::kLibTorch;
  bool json = false;
};

nlohmann::ordered_json to_json(const Latency& latency, const std::string& form) {
  return {{"model", latency.name},
          {"form", form},
          {"first_ms", latency.first},
          {"min_ms", latency.minimum},
          {"median_ms", latency.median},
          {"median_low_ms", latency.interval.low},
          {"median_high_ms", latency.interval.high},
          {"p95_ms", latency.p95},
          {"first_call_mib", latency.memory_mib}};
}

void print_latencies(const LatencyResults& results, const std::vector<Model>& models) {
  fmt::print("{:<10} {:>8} {:>8} {:>17} {:>8} {:>8} {:>7}  model\n", "form", "minimum", "median",
             "95 % of median", "p95", "first", "MiB");
  for (size_t i = 0; i < models.size(); ++i) {
    const Latency& latency = results.models[i];
    fmt::print("{:<10} {:>8.3f} {:>8.3f} {:>8.3f} {:>8.3f} {:>8.3f} {:>8.1f} {:>7.1f}  {}\n",
               models[i].form, latency.minimum, latency.median, latency.interval.low,
               latency.interval.high, latency.p95, latency.first, latency.memory_mib, latency.name);
  }
}

nlohmann::ordered_json to_json(const LatencyResults& results, const std::vector<Model>& models,
                               const LatencyOptions& options) {
  nlohmann::ordered_json json = {{"threads", options.threads}, {"batch", options.batch},
                                 {"size", options.size},       {"other_cores", results.other_cores},
                                 {"doubts", results.doubts()}, {"models", nlohmann::json::array()}};
  for (size_t i = 0; i < models.size(); ++i) {
    json["models"].push_back(to_json(results.models[i], models[i].form));
  }
  return json;
}

void bench_latency(const BenchLatencyOptions& options) {
  auto json = nlohmann::ordered_json::array();
  for (const int64_t threads : options.threads) {
    set_threads(threads);  // which sessions of ONNX Runtime keep
    std::vector<Model> models;
    std::vector<TimedModel> timed;
    for (const auto& what : options.models) {
      models.push_back(measured_model(what, options.runtime));
      timed.push_back({models.back().origin, models.back().forward,
                       std::ssize(models.back().config.data.mean)});
    }
    const LatencyOptions how = {
        .batch = options.batch,
        .size = options.size > 0 ? options.size : models.front().config.data.eval_crop,
        .threads = threads,
        .rounds = options.rounds};
    const LatencyResults results = measure_latency(timed, how);
    if (options.json) {
      json.push_back(to_json(results, models, how));
      continue;
    }
    fmt::print("batch {}, {}x{} px, {} thread(s), CPU, milliseconds\n", how.batch, how.size,
               how.size, threads);
    print_latencies(results, models);
    for (const auto& doubt : results.doubts()) fmt::print("not quiet: {}\n", doubt);
  }
  if (options.json) fmt::print("{}\n", json.dump());
}

struct TrainOptions {
  Config config;
  int64_t steps = 5;
  bool json = false;
};

/// A table row: "product", its share of a step, and its rates beside the machine's.
void print_entry(const Profile::Entry& entry, double steps, double step_seconds) {
  const auto rate = [&](double amount) {
    return amount > 0 ? fmt::format("{:.1f}", amount / entry.seconds / 1e9) : std::string("-");
  };
  fmt::print("{:<22} {:>7.0f} {:>9.2f} {:>7.1f} {:>9} {:>8}\n", entry.kind,
             static_cast<double>(entry.calls) / steps, 1e3 * entry.seconds / steps,
             100 * entry.seconds / steps / step_seconds, rate(entry.flops), rate(entry.bytes));
}

void bench_train(const TrainOptions& options) {
  const Config& config = options.config;
  const Place place = place_in_environment();
  const Processes processes(place, {.device = choose_device(config.runtime.device, place)});
  TrainingCost cost;
  processes.run([&] {
    require_memory(config, place);
    cost = measure_training(config, config.data.size, options.steps, processes);
  });
  if (!processes.first()) return;
  std::vector<double> seconds = cost.seconds;
  std::sort(seconds.begin(), seconds.end());
  const double best = seconds.front(), median = seconds[seconds.size() / 2],
               batch = static_cast<double>(config.schedule.batch_size);
  if (options.json) {
    const nlohmann::ordered_json json = {{"seconds_per_step", best},
                                         {"images_per_second", batch / best},
                                         {"median_seconds_per_step", median},
                                         {"peak_rss_mib", cost.peak_rss_mib},
                                         {"rss_before_mib", cost.rss_before_mib}};
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print("{} with the engine '{}' in {}, batch {}, {}x{} px, {} thread(s){}\n",
             to_string(config.model.variant), to_string(config.runtime.engine),
             to_string(config.runtime.precision), config.schedule.batch_size, config.data.size,
             config.data.size, at::get_num_threads(),
             processes.alone() ? "" : fmt::format(" of each of {} processes", processes.size()));
  fmt::print("step: {:.1f} ms at best, {:.1f} ms median of {}; {:.1f} img/s\n", 1e3 * best,
             1e3 * median, seconds.size(), batch / best);
  fmt::print("memory: {:.0f} MiB at its peak, {:.0f} MiB before the first step\n\n",
             cost.peak_rss_mib, cost.rss_before_mib);
  if (choose_device(config.runtime.device).is_cuda()) {
    fmt::print("parts of a step are timed on a CPU only: a device works on while its host times\n");
    return;
  }
  const MachinePeaks peaks = measure_peaks();
  const double steps = static_cast<double>(seconds.size());
  double total = 0, timed = 0;
  for (const double s : seconds) total += s;
  fmt::print("{:<22} {:>7} {:>9} {:>7} {:>9} {:>8}\n", "part", "calls", "ms/step", "%", "GFLOP/s",
             "GB/s");
  for (const auto& entry : cost.profile) {
    print_entry(entry, steps, total / steps);
    timed += entry.seconds;
  }
  print_entry({"everything else", 0, total - timed}, steps, total / steps);
  fmt::print("{:<22} {:>7} {:>9} {:>7} {:>9.1f} {:>8.1f}\n", "this machine's peaks", "", "", "",
             peaks.gflops, peaks.gigabytes_per_second);
}

void add_bench_train(CLI::App& bench) {
  auto options = std::make_shared<TrainOptions>();
  Config& config = options->config;
  config.schedule.batch_size = 16;
  config.ema.decay = 0;
  auto* command = bench.add_subcommand(
      "train", "Time training steps on random images; of several processes by `launch`");
  add_enum_option(*command, "--variant", config.model.variant, "Network");
  add_enum_option(*command, "--engine", config.runtime.engine, "How branches are computed");
  add_enum_option(*command, "--precision", config.runtime.precision, "Arithmetic");
  add_enum_option(*command, "--device", config.runtime.device, "Where to compute");
  command->add_option("--branches", config.model.branches, "k, of each stage [the variant's]");
  add_enum_option(*command, "--head", config.model.head, "What the network ends in");
  command->add_option("--classes", config.model.num_classes,
                      "Outputs; 0: 1000 of the classifier, 21 of segmentation, 80 of detection");
  command->add_option("--output-stride", config.segment.output_stride, "Of deeplabv3")
      ->check(CLI::IsMember(std::vector<int64_t>{8, 16}))
      ->capture_default_str();
  command->add_flag("--separable", config.segment.separable,
                    "deeplabv3's 3x3 convolutions are depthwise and pointwise");
  command
      ->add_option("--auxiliary", config.segment.auxiliary,
                   "Weight of deeplabv3's auxiliary loss; 0: none")
      ->check(number_range(0, 10))
      ->capture_default_str();
  command->add_option("--batch", config.schedule.batch_size, "Images per step, of all processes")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_flag("--sync-bn", config.runtime.sync_bn,
                    "Batch norms see the images of all processes");
  command->add_option("--size", config.data.size, "Image size, px")
      ->check(CLI::Range(8, 4096))
      ->capture_default_str();
  command->add_option("--steps", options->steps, "Steps to time, after one to warm up")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_option("--threads", config.runtime.threads, "Threads of computation; 0: all cores")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->add_option("--ema", config.ema.decay, "Keep a moving average; 0: none")
      ->check(number_range(0, 1))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print one JSON object and nothing else");
  command->callback([options] {
    constexpr int64_t kVocClasses = 21, kCocoClasses = 80;  // that papers measure with
    ModelConfig& model = options->config.model;
    if (model.num_classes == 0 && model.head != HeadKind::kClassifier) {
      model.num_classes = model.head == HeadKind::kSsdLite ? kCocoClasses : kVocClasses;
    }
    bench_train(*options);
  });
}

}  // namespace

void add_bench(CLI::App& app) {
  auto* bench = app.add_subcommand("bench", "Measure speed");
  bench->require_subcommand(1);
  auto options = std::make_shared<BenchLatencyOptions>();
  auto* command = bench->add_subcommand("latency", "Time networks in turn");
  command
      ->add_option("models", options->models,
                   "Checkpoints, TorchScript and ONNX files, and variants with random weights:\n"
                   "s0 (folded), s0:unfolded")
      ->required();
  add_enum_option(*command, "--runtime", options->runtime,
                  "What runs checkpoints, folded for onnxruntime, and variants");
  command->add_option("--batch", options->batch, "Images per call")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_option("--size", options->size, "Image size, px [the first model's]")
      ->check(CLI::Range(8, 4096));
  command
      ->add_option("--threads", options->threads, "Threads of computation, one run for each: 1,2")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command
      ->add_option("--rounds", options->rounds, "Times that all have their turn, five calls each")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print one JSON array and nothing else");
  command->callback([options] { bench_latency(*options); });
  add_bench_train(*bench);
  add_bench_data(*bench);
  add_bench_kernels(*bench);
  add_bench_scale(*bench);
}

}  // namespace mobileone::cli
