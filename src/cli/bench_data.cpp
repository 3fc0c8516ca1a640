#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "mobileone/bench/training.h"
#include "mobileone/cli/commands.h"
#include "mobileone/cli/options.h"
#include "mobileone/config/reader.h"
#include "mobileone/data/loading_speed.h"
#include "mobileone/optim/memory.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/optim/schedule.h"
#include "mobileone/task/task.h"
#include "mobileone/train/training_data.h"

namespace mobileone::cli {
namespace {

struct BenchDataOptions {
  std::string config;
  std::vector<std::string> overrides;
  int64_t workers = 0, images = 1024, rounds = 5;
  std::optional<double> consumes;
  bool json = false;
};

/// Microseconds of a worker's time per image.
double microseconds(const LoadingSpeed& speed, double seconds) {
  return 1e6 * seconds / static_cast<double>(speed.images);
}

int64_t workers_needed(const LoadingSpeed& speed, double consumes) {
  return static_cast<int64_t>(std::ceil(consumes / speed.images_per_second_per_core));
}

void print_json(int64_t workers, const LoadingSpeed& speed, double consumes) {
  nlohmann::ordered_json json = {{"images_per_second", speed.images_per_second},
                                 {"images_per_second_per_core", speed.images_per_second_per_core},
                                 {"workers", workers},
                                 {"images", speed.images}};
  for (const auto& part : speed.parts) {
    json["microseconds_per_image"][part.kind] = microseconds(speed, part.seconds);
  }
  if (consumes > 0) {
    json["trainer_images_per_second"] = consumes;
    json["trainer_waits"] = speed.images_per_second < consumes;
    json["workers_needed"] = workers_needed(speed, consumes);
  }
  fmt::print("{}\n", json.dump());
}

void print_table(int64_t workers, const LoadingSpeed& speed, double consumes) {
  fmt::print("{:.0f} img/s with {} worker(s); {:.0f} img/s per core\n\n", speed.images_per_second,
             workers, speed.images_per_second_per_core);
  fmt::print("{:<10} {:>10}\n", "part", "us/image");
  for (const auto& part : speed.parts) {
    fmt::print("{:<10} {:>10.1f}\n", part.kind, microseconds(speed, part.seconds));
  }
  if (consumes == 0) return;
  fmt::print("\na trainer of {:.0f} img/s ", consumes);
  if (speed.images_per_second >= consumes) {
    fmt::print("would not wait\n");
  } else {
    fmt::print("would wait {:.0f} % of its time; data.workers={} on as many cores would do\n",
               100 * (1 - speed.images_per_second / consumes), workers_needed(speed, consumes));
  }
}

/// Images per second of training steps in the last epoch, at best.
double training_speed(Config config) {
  constexpr int64_t kSteps = 3;
  config.schedule.batch_size /= config.schedule.accumulate;
  const int64_t size = curriculum_stage(config, config.schedule.epochs - 1).size;
  const TrainingCost cost = measure_training(config, size, kSteps);
  const double seconds = *std::min_element(cost.seconds.begin(), cost.seconds.end());
  return static_cast<double>(config.schedule.batch_size) / seconds;
}

void bench_data(const BenchDataOptions& options) {
  Config config = load_config(options.config, options.overrides);
  if (options.workers > 0) config.data.workers = options.workers;
  config.data.val.clear();  // is not read
  const TrainingData data = read_training_data(config);
  require_memory(config);
  prepare_training(config.runtime);
  const LoadingSpeed speed =
      measure_loading(data.train, training_loader_options(config),
                      task_of(config)->train_transform(config, config.schedule.epochs - 1),
                      options.images, options.rounds);
  const double consumes = options.consumes ? *options.consumes : training_speed(config);
  (options.json ? print_json : print_table)(config.data.workers, speed, consumes);
}

}  // namespace

void add_bench_data(CLI::App& bench) {
  auto options = std::make_shared<BenchDataOptions>();
  auto* command = bench.add_subcommand(
      "data", "Time the reading and augmenting of a run's training images, as in its last epoch");
  command->add_option("config", options->config, "YAML configuration")->required();
  command->add_option("overrides", options->overrides, "section.key=value, e.g. data.workers=4");
  command->add_option("--workers", options->workers, "Threads [data.workers]")
      ->check(CLI::Range(1, 1024));
  command->add_option("--images", options->images, "Images in each round, at least")
      ->check(CLI::Range(1, 10000000))
      ->capture_default_str();
  command->add_option("--rounds", options->rounds, "Rounds, of whose rates the median is given")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command
      ->add_option("--consumes", options->consumes,
                   "Images per second of a trainer, which would wait or not; 0: do not ask\n"
                   "[measured here, in a few training steps]")
      ->check(number_range(0, 1e9));
  command->add_flag("--json", options->json, "Print one JSON object and nothing else");
  command->callback([options] { bench_data(*options); });
}

}  // namespace mobileone::cli
