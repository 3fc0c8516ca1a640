// What summing gradients over processes adds to a training step, by several ways in turn: our
// buckets on the flat gradients, c10d's Reducer (as DistributedDataParallel has it), and one sum
// after the backward pass. Run by a launcher:
//   mpirun -n 2 build/gradient_sum_benchmark --threads 1
//   tools/two_machines.sh --rate 1gbit build/gradient_sum_benchmark --threads 1
#include <fmt/core.h>
#include <torch/types.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#include <vector>

#include "dist/network.h"
#include "mobileone/bench/statistics.h"
#include "mobileone/dist/processes.h"
#include "mobileone/model/mobileone.h"
#include "mobileone/optim/flat_state.h"
#include "mobileone/optim/gradient_sum.h"
#include "mobileone/optim/loss.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/util/error.h"
#include "mobileone/util/seconds.h"

namespace {
using namespace mobileone;

/// A network with its gradients in one tensor, and images for this process's part of a batch.
struct Task {
  MobileOne network;
  FlatState state;
  torch::Tensor images, labels;

  Task(const ModelConfig& model, int64_t count, int64_t size)
      : network(network_options(model)),
        state(*network),
        images(torch::randn({count, 3, size, size}).contiguous(at::MemoryFormat::ChannelsLast)),
        labels(torch::randint(network->options.num_classes, {count}, torch::kInt64)) {
    network->train();
  }

  torch::Tensor loss() {
    state.gradients.zero_();
    return classification_loss(network->forward(images), labels, 0.1);
  }
};

/// One way to do a step.
using Step = std::function<void()>;

Step without_sum(Task& task) {
  return [&task] { task.loss().backward(); };
}

Step sum_after_backward(Task& task, const Processes& processes) {
  return [&] {
    task.loss().backward();
    processes.sum(task.state.gradients);
  };
}

Step with_buckets(Task& task, const Processes& processes, int64_t bucket_bytes) {
  const auto sum = std::make_shared<GradientSum>(
      *task.network, task.state,
      [&processes](const torch::Tensor& part) { return processes.start_sum(part); }, bucket_bytes);
  return [&task, sum] {
    const auto loss = task.loss();
    sum->begin();
    loss.backward();
    sum->finish();
  };
}

c10::intrusive_ptr<c10d::ProcessGroup> process_group(const Place& place) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(place.port + 1);
  options.isServer = place.rank == 0;
  options.waitWorkers = false;
  const auto store = c10::make_intrusive<c10d::TCPStore>(place.address, options);
  const auto rank = static_cast<int>(place.rank), size = static_cast<int>(place.size);
  auto gloo = c10d::ProcessGroupGloo::Options::create();
  gloo->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(
      wait_for_server(place.address, place.port, std::chrono::seconds(30))));
  auto group = c10::make_intrusive<c10d::ProcessGroup>(store, rank, size);
  group->setBackend(at::kCPU, c10d::ProcessGroup::BackendType::GLOO,
                    c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, gloo));
  return group;
}

Step with_reducer(Task& task, const c10::intrusive_ptr<c10d::ProcessGroup>& group,
                  int64_t bucket_bytes) {
  std::vector<torch::Tensor> parameters = task.network->parameters();
  std::reverse(parameters.begin(), parameters.end());  // as backward reaches them
  std::unordered_map<size_t, std::string> names;
  for (size_t i = 0; i < parameters.size(); ++i) names.emplace(i, std::to_string(i));
  const std::vector<bool> dense(parameters.size(), false);
  const auto bytes = static_cast<size_t>(bucket_bytes);
  const auto buckets = std::get<0>(c10d::compute_bucket_assignment_by_size(
      parameters, {static_cast<size_t>(c10d::kDefaultFirstBucketBytes), bytes}, dense));
  const auto reducer = std::make_shared<c10d::Reducer>(
      parameters, buckets, group, dense, bucket_bytes, /*find_unused_parameters=*/false,
      /*gradient_as_bucket_view=*/false, names, c10d::kDefaultFirstBucketBytes,
      /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false,
      std::vector<int64_t>{});
  return [&task, reducer] {
    const auto loss = task.loss();
    reducer->prepare_for_backward({loss});
    loss.backward();
  };
}

constexpr const char* kNoSum = "no sum";
constexpr const char* kAfter = "one sum after backward";

struct Options {
  Config config;
  int64_t size = 224, rounds = 10;
};

void measure(const Options& options, const Processes& processes) {
  const auto group = process_group(processes.place());
  const int64_t own = options.config.schedule.batch_size / processes.size();
  struct Way {
    const char* name;
    std::unique_ptr<Task> task;  // of its own, since hooks of one way would run in another's steps
    Step step;
    std::vector<double> seconds = {};
  };
  std::vector<Way> ways;
  const auto add = [&](const char* name, const std::function<Step(Task&)>& make) {
    auto task = std::make_unique<Task>(options.config.model, own, options.size);
    task->network->engine = options.config.runtime.engine;
    Step step = make(*task);
    ways.push_back({name, std::move(task), std::move(step)});
  };
  add(kNoSum, without_sum);
  add("buckets of 2 MiB on the flat gradients",
      [&](Task& t) { return with_buckets(t, processes, GradientSum::kBucketBytes); });
  add("Reducer, buckets of 25 MiB",
      [&](Task& t) { return with_reducer(t, group, c10d::kDefaultBucketBytesCap); });
  add("Reducer, buckets of 2 MiB",
      [&](Task& t) { return with_reducer(t, group, GradientSum::kBucketBytes); });
  add(kAfter, [&](Task& t) { return sum_after_backward(t, processes); });
  constexpr int64_t kWarmUp = 2;
  std::mt19937 order(0);
  for (int64_t round = 0; round < kWarmUp + options.rounds; ++round) {
    std::shuffle(ways.begin(), ways.end(), order);  // alike in every process
    for (auto& way : ways) {
      processes.meet();
      const auto start = std::chrono::steady_clock::now();
      way.step();
      processes.meet();
      if (round >= kWarmUp) way.seconds.push_back(seconds_since(start));
    }
  }
  if (!processes.first()) return;
  fmt::print("{} over {} processes, batch {}, median of {} steps\n",
             to_string(options.config.model.variant), processes.size(),
             options.config.schedule.batch_size, options.rounds);
  std::map<std::string, double> medians;
  for (const auto& way : ways) medians.emplace(way.name, quantile(way.seconds, 0.5));
  const double none = medians.at(kNoSum), after = medians.at(kAfter);
  fmt::print("{:<40} {:>9} {:>9} {:>9}\n", "", "ms/step", "added ms", "hidden %");
  for (const auto& [name, seconds] : medians) {
    fmt::print("{:<40} {:>9.1f} {:>9.1f} {:>9.0f}\n", name, 1e3 * seconds, 1e3 * (seconds - none),
               100 * (after - seconds) / (after - none));
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  Config& config = options.config;
  config.schedule.batch_size = 16;
  std::string variant = "s0";
  CLI::App app("Time ways to sum gradients over the processes of a run");
  app.add_option("--variant", variant, "Network")->capture_default_str();
  app.add_option("--batch", config.schedule.batch_size, "Images per step, of all processes")
      ->capture_default_str();
  app.add_option("--size", options.size, "Image size, px")->capture_default_str();
  app.add_option("--rounds", options.rounds, "Steps of each way")->capture_default_str();
  app.add_option("--threads", config.runtime.threads, "Threads of computation; 0: all cores")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    const auto known = from_string<Variant>(variant);
    if (!known) throw Error("--variant: expected s0 to s4 or mu0 to mu2, got '{}'", variant);
    config.model.variant = *known;
    const Place place = place_in_environment();
    if (place.size == 1) throw Error("expected several processes; see the top of this file");
    prepare_training(config.runtime, place);
    const Processes processes(place, {});
    processes.run([&] { measure(options, processes); });
  } catch (const Error& error) {
    fmt::print(stderr, "gradient_sum_benchmark: {}\n", error.what());
    return 2;
  }
}
