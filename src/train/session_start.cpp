#include "mobileone/train/session_start.h"

#include <ATen/Parallel.h>

#include "mobileone/bench/training.h"
#include "mobileone/model/counts.h"
#include "mobileone/optim/memory.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/optim/schedule.h"
#include "mobileone/task/task.h"
#include "mobileone/util/log.h"

namespace mobileone {
namespace {

/// "1 step", "2 steps", "2 classes".
std::string counted(int64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : what.ends_with('s') ? "es" : "s");
}

std::string describe_images(const ImageList& list, int64_t classes) {
  return fmt::format("{} of {} in {}", counted(list.size(), "image"), counted(classes, "class"),
                     list.origin);
}

void announce_average(const Config& config, int64_t steps) {
  if (config.ema.decay == 0) return;
  const double start = share_of_first_weights(config, steps), last = ema_decay(config, steps - 1);
  constexpr double kForgotten = 0.01;
  if (start > kForgotten) {
    log::warning(
        "ema.decay: {} is too slow for the {} of this run: at its end {:.0f} % of the moving "
        "average will be the first weights; set ema.warmup=true, or lower ema.decay",
        config.ema.decay, counted(steps, "step"), 100 * start);
  } else if (last < config.ema.decay) {
    log::info("ema.decay: this run's {} end before it is {}; its warm-up comes to {:.4g}",
              counted(steps, "step"), config.ema.decay, last);
  }
}

}  // namespace

/// Says so where the precision asked for makes training slower on this machine.
void warn_of_slow_precision(const Config& config) {
  const RuntimeConfig& runtime = config.runtime;
  if (runtime.precision == Precision::kFloat32 || !choose_device(runtime.device).is_cpu()) return;
  constexpr double kNoise = 1.1;
  const double cost = precision_cost(config);
  if (cost < kNoise) return;
  log::warning(
      "runtime.precision: with {} and the engine '{}' a training step takes {:.1f} times as long "
      "as with fp32 on this machine; set runtime.precision=fp32 unless memory is short",
      to_string(runtime.precision), to_string(runtime.engine), cost);
}

void announce_session(const Config& config, const ImageList& train, const ImageList* val,
                      int64_t batches_per_epoch, const Processes& processes) {
  const NetworkOptions network = network_options(config);
  const int64_t classes = config.model.num_classes, batch = config.schedule.batch_size;
  log::info("training mobileone {} ({:.2f} M parameters) on {}", network.variant,
            1e-6 * static_cast<double>(total_counts(network, config.data.size).parameters),
            describe_images(train, classes));
  if (const std::string text = task_of(config)->describe(config); !text.empty()) {
    log::info("{}", text);
  }
  if (val != nullptr) {
    log::info("validation on {}", describe_images(*val, classes));
  } else {
    log::info("no validation, as data.val is not set: best.pth will be the last epoch's network");
  }
  const Place& place = processes.place();
  log::info("{} of {} of {} at {} px, on {}, {}{}, in about {:.1f} GiB of memory; into {}",
            counted(config.schedule.epochs, "epoch"), counted(batches_per_epoch, "step"),
            counted(batch, "image"), curriculum_stage(config, 0).size,
            choose_device(config.runtime.device, place).str(),
            counted(at::get_num_threads(), "thread"),
            place.size > 1 ? fmt::format(" in each of {} processes", place.size) : "",
            training_memory(config, place.size).total() / (1 << 30), config.output.dir);
  const int64_t left_out = train.size() - batches_per_epoch * batch;
  if (left_out > 0) {
    log::info("{} of {} images are left out of each epoch, others each time: batches are of {}",
              left_out, train.size(), batch);
  }
  announce_average(config, batches_per_epoch * config.schedule.epochs);
}

}  // namespace mobileone
