#include "mobileone/bench/training.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <chrono>
#include <memory>

#include "mobileone/model/mobileone.h"
#include "mobileone/optim/flat_state.h"
#include "mobileone/optim/loss.h"
#include "mobileone/optim/optimizer.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/util/process.h"

namespace mobileone {
TrainingCost measure_training(const Config& config, int64_t size, int64_t steps) {
  using Clock = std::chrono::steady_clock;
  const auto device = choose_device(config.runtime.device);
  prepare_training(config.runtime);
  MobileOne network(network_options(config.model));
  network->engine = config.runtime.engine;
  network->to(device);
  FlatState state(*network);
  Sgd optimizer(config.optimizer, state);
  const auto images = torch::randn({config.schedule.batch_size, 3, size, size})
                          .to(device)
                          .contiguous(torch::MemoryFormat::ChannelsLast);
  const auto labels =
      torch::randint(network->options.num_classes, {config.schedule.batch_size}, torch::kInt64)
          .to(device);
  network->train();

  TrainingCost cost;
  cost.rss_before_mib = peak_rss_mib();
  std::unique_ptr<Ema> ema;
  if (config.ema.decay > 0) ema = std::make_unique<Ema>(config.ema.decay, state);
  const auto step = [&] {
    torch::Tensor logits;
    {
      const PrecisionGuard guard(device, config.runtime.precision);
      logits = network->forward(images);
    }
    auto loss = classification_loss(logits, labels, config.loss.label_smoothing);
    loss.backward();
    loss.item<double>();  // waits for a device
    const Span span("optimizer", 0, 4.0 * 5 * state.parameters.numel());
    optimizer.step(config.optimizer.lr, config.optimizer.weight_decay);
    if (ema) ema->update();
  };
  step();
  Profile profile;
  for (int64_t i = 0; i < steps; ++i) {
    const auto start = Clock::now();
    step();
    cost.seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  cost.profile = profile.entries();
  cost.peak_rss_mib = peak_rss_mib();
  return cost;
}

}  // namespace mobileone
