// Training steps of every variant with every engine and precision, one JSON object a line: what
// `mobileone bench train` measures, for machines on which the program is not built.
#include <ATen/Context.h>
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "mobileone/bench/training.h"
#include "mobileone/config/config.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/util/error.h"

namespace {
using namespace mobileone;

void measure(Config config, int64_t size, int64_t steps) {
  TrainingCost cost = measure_training(config, size, steps);
  std::sort(cost.seconds.begin(), cost.seconds.end());
  const double median = cost.seconds[cost.seconds.size() / 2];
  fmt::print(
      "{{\"device\":\"{}\",\"variant\":\"{}\",\"engine\":\"{}\",\"precision\":\"{}\",\"batch\":{},"
      "\"seconds_per_step\":{:.6f},\"images_per_second\":{:.1f}}}\n",
      choose_device(config.runtime.device).str(), to_string(config.model.variant),
      to_string(config.runtime.engine), to_string(config.runtime.precision),
      config.schedule.batch_size, median, static_cast<double>(config.schedule.batch_size) / median);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  Config config;
  config.schedule.batch_size = 128;
  config.ema.decay = 0;
  int64_t size = 224, steps = 10;
  bool tf32 = false;
  CLI::App app("Time training steps on random images");
  app.add_option("--batch", config.schedule.batch_size, "Images per step")->capture_default_str();
  app.add_option("--size", size, "Image size, px")->capture_default_str();
  app.add_option("--steps", steps, "Steps to time, after one to warm up")->capture_default_str();
  app.add_flag_callback(
      "--cuda", [&] { config.runtime.device = DeviceChoice::kCuda; }, "Fail where there is no GPU");
  app.add_flag("--tf32", tf32, "Let float32 products of a GPU round to TF32");
  CLI11_PARSE(app, argc, argv);
  at::globalContext().setAllowTF32CuBLAS(tf32);
  at::globalContext().setAllowTF32CuDNN(tf32);
  try {
    for (const auto& variant : enum_names(Variant{})) {
      for (const auto& precision : enum_names(Precision{})) {
        for (const auto& engine : enum_names(Engine{})) {
          config.model.variant = variant.value;
          config.runtime.precision = precision.value;
          config.runtime.engine = engine.value;
          measure(config, size, steps);
        }
      }
    }
  } catch (const Error& error) {
    fmt::print(stderr, "training_benchmark: {}\n", error.what());
    return 2;
  }
}
