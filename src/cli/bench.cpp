#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "mobileone/bench/latency.h"
#include "mobileone/cli/commands.h"
#include "mobileone/train/runtime.h"
#include "mobileone/util/error.h"

namespace mobileone::cli {
namespace {

struct Options {
  std::vector<std::string> models;
  int64_t batch = 1, size = 0, threads = 1;
};

void bench_latency(const Options& options) {
  set_threads(options.threads);
  std::vector<Model> models;
  for (const auto& path : options.models) models.push_back(load_model(path, torch::kCPU));
  const int64_t size = options.size > 0 ? options.size : models.front().config.data.eval_crop;
  fmt::print("batch {}, {}x{} px, {} thread(s), CPU, milliseconds\n", options.batch, size, size,
             options.threads);
  fmt::print("{:<12} {:>9} {:>9} {:>9}  file\n", "form", "minimum", "median", "p95");
  const auto results = measure_latency(models, options.batch, size);
  for (size_t i = 0; i < results.size(); ++i) {
    fmt::print("{:<12} {:>9.3f} {:>9.3f} {:>9.3f}  {}\n", models[i].form, results[i].minimum,
               results[i].median, results[i].p95, results[i].name);
  }
}

}  // namespace

void add_bench(CLI::App& app) {
  auto* bench = app.add_subcommand("bench", "Measure speed");
  bench->require_subcommand(1);
  auto options = std::make_shared<Options>();
  auto* command = bench->add_subcommand("latency", "Time network files in turn");
  command->add_option("models", options->models, "Checkpoints and TorchScript files")->required();
  command->add_option("--batch", options->batch, "Images per call")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_option("--size", options->size, "Image size, px [the first model's]")
      ->check(CLI::Range(8, 4096));
  command->add_option("--threads", options->threads, "Threads of computation")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->callback([options] { bench_latency(*options); });
}

}  // namespace mobileone::cli
