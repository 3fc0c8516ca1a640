#include "mobileone/optim/memory.h"

#include <algorithm>

#include "mobileone/model/counts.h"
#include "mobileone/model/method.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/util/error.h"
#include "mobileone/util/machine.h"

namespace mobileone {
namespace {

constexpr double kGiB = 1 << 30;
constexpr double kFloat = 4;  // bytes
/// The program, its libraries and what they keep.
constexpr double kProgram = 0.2 * kGiB;

/// Elements that a training step keeps of one image from a unit's forward to its backward pass, and
/// those that both need besides while they are at it.
struct UnitElements {
  double kept, passing;
};

/// A unit of backbone or head and the size of its input.
struct PlacedUnit {
  UnitOptions unit;
  int64_t input_size;
};

std::vector<PlacedUnit> placed_units(const NetworkOptions& network, int64_t size) {
  std::vector<PlacedUnit> units;
  std::vector<int64_t> sizes;  // of the stem's map, then of each stage's
  for (const UnitOptions& unit : unit_table(network)) {
    units.push_back({unit, size});
    size = unit.output_size(size);
    sizes.resize(static_cast<size_t>(part_of(unit.name)) + 1);
    sizes.back() = size;
  }
  for (const HeadLayer& layer : head_table(network)) {
    int64_t own = layer.pooled ? 1 : sizes[layer.stage];
    for (int64_t i = 0; i < layer.halvings; ++i) own = (own + 1) / 2;
    units.push_back({layer.unit, own});
  }
  return units;
}

UnitElements unit_elements(const UnitOptions& unit, int64_t input_size, Engine engine) {
  const double in = static_cast<double>(unit.in_channels * input_size * input_size);
  const int64_t size = unit.output_size(input_size);
  const double out = static_cast<double>(unit.out_channels * size * size);
  if (engine == Engine::kFolded) return {out, 2 * (in + out)};
  const auto branches = static_cast<double>(unit.branches + unit.has_scale() + unit.has_skip());
  return {(branches + 1) * out, 2 * (in + out)};  // each branch's output, and their sum's ReLU
}

/// Of one image of `size` pixels.
double step_elements(const NetworkOptions& network, int64_t size, Engine engine) {
  double kept = static_cast<double>(network.in_channels * size * size), passing = 0;
  for (const auto& [unit, input_size] : placed_units(network, size)) {
    const UnitElements elements = unit_elements(unit, input_size, engine);
    kept += elements.kept;
    passing = std::max(passing, elements.passing);
  }
  return kept + passing;
}

/// The covariances of inputs' patches that the folded engine keeps for its backward pass.
double covariance_elements(const Config& config, const NetworkOptions& network, int64_t images,
                           int64_t size) {
  if (config.runtime.engine != Engine::kFolded) return 0;
  double elements = 0;
  for (const auto& [unit, input_size] : placed_units(network, size)) {
    const int64_t out = unit.output_size(input_size);
    if (choose_method(unit, images * out * out) == Method::kDirect) continue;
    const auto patch =
        static_cast<double>(unit.kernel * unit.kernel * unit.in_channels / unit.groups);
    elements += static_cast<double>(unit.groups) * patch * patch;
  }
  return elements;
}

int64_t largest_size(const Config& config) {
  int64_t size = config.curriculum.stages.empty() ? config.data.size : 0;
  for (const CurriculumStage& stage : config.curriculum.stages) size = std::max(size, stage.size);
  return size;
}

}  // namespace

double TrainingMemory::total() const { return kProgram + weights + activations + images; }

TrainingMemory training_memory(const Config& config, int64_t processes) {
  const NetworkOptions network = network_options(config);
  const int64_t size = largest_size(config), crop = config.data.eval_crop;
  const int64_t batch = (config.schedule.batch_size + processes - 1) / processes;
  const int64_t part = (batch + config.schedule.accumulate - 1) / config.schedule.accumulate;
  const double element = config.runtime.precision == Precision::kFloat32 ? kFloat : kFloat / 2;
  const auto parameters = static_cast<double>(total_counts(network, size).parameters);
  // Own, gradient, fold's; the optimizer's; the average.
  const double copies =
      3 + (config.optimizer.name == OptimizerKind::kAdamW ? 2 : 1) + (config.ema.decay > 0 ? 1 : 0);

  TrainingMemory memory;
  memory.weights =
      kFloat * (copies * parameters + 2 * covariance_elements(config, network, part, size));
  memory.activations =
      element * static_cast<double>(part) * step_elements(network, size, config.runtime.engine);
  const auto pixels = [](int64_t side) { return 3.0 * static_cast<double>(side * side); };
  const auto held = static_cast<double>(config.data.prefetch + 1);
  memory.images = kFloat * held * static_cast<double>(batch) * pixels(size);
  if (!config.data.val.empty()) {
    memory.images += kFloat * held * static_cast<double>(config.schedule.batch_size) * pixels(crop);
  }
  return memory;
}

void require_memory(const Config& config, const Place& place) {
  const double limit = config.runtime.memory_limit * kGiB;
  if (limit == 0 && !choose_device(config.runtime.device, place).is_cpu()) return;
  const double most = limit > 0 ? limit : usable_memory();
  const TrainingMemory memory = training_memory(config, place.size);
  const double needed = memory.total() * static_cast<double>(place.local_size);
  if (needed <= most) return;
  throw Error(
      "training would take about {:.1f} GiB of memory (weights {:.1f}, activations {:.1f}, images "
      "{:.1f}{}), {} {:.1f}; lower schedule.batch_size, data.size or model.width_multipliers, "
      "raise schedule.accumulate, or set runtime.memory_limit if the estimate is wrong",
      needed / kGiB, memory.weights / kGiB, memory.activations / kGiB, memory.images / kGiB,
      place.local_size > 1 ? fmt::format("; {} processes of it", place.local_size) : "",
      limit > 0 ? "runtime.memory_limit is" : "this machine has", most / kGiB);
}

}  // namespace mobileone
