#include "mobileone/train/run_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "mobileone/util/log.h"
#include "mobileone/util/seconds.h"

namespace mobileone {

double mean_loss(const TrainingState& state) {
  return state.loss_sum / static_cast<double>(std::max<int64_t>(1, state.images));
}

RunReport::RunReport(const Config& config, int64_t batches_per_epoch, bool speaks)
    : epochs_(config.schedule.epochs),
      images_per_epoch_(batches_per_epoch * config.schedule.batch_size),
      speaks_(speaks),
      validates_(!config.data.val.empty()),
      metric_(task_of(config)->metric()),
      clock_(config, batches_per_epoch) {}

std::string RunReport::name_of(const TrainingState& state) const {
  return fmt::format("epoch {}/{}", state.epoch + 1, epochs_);
}

void RunReport::begin_epoch(const TrainingState& state) {
  if (speaks_) progress_.emplace(name_of(state), images_per_epoch_, "img", state.images);
}

void RunReport::step(const TrainingState& state, double seconds) {
  clock_.add_step(state.epoch, seconds);
  if (!progress_) return;
  progress_->update(state.images,
                    fmt::format("loss {:.3f}  run: {} left", mean_loss(state),
                                format_duration(clock_.left(state.epoch, state.batches))));
}

void RunReport::epoch(const TrainingState& state, const Verdict& verdict, bool is_best) {
  progress_.reset();
  std::string accuracy;
  for (const auto& [name, value] : verdict.metrics) {
    if (name.ends_with("_loss") || name == "ema_better") continue;
    accuracy += fmt::format("  {} {:.2f}", name, value);
  }
  if (validates_ && is_best) {
    accuracy += fmt::format("  best so far ({})", to_string(verdict.better));
  }
  const bool last = state.epoch + 1 == epochs_;
  log::info(
      "{}  loss {:.3f}{}  {:.0f} img/s  {}{}", name_of(state), mean_loss(state), accuracy,
      static_cast<double>(state.images) / state.seconds, format_duration(state.seconds),
      last ? "" : fmt::format("  run: {} left", format_duration(clock_.left(state.epoch + 1, 0))));
}

void RunReport::end(const TrainingState& state, const std::filesystem::path& best) const {
  const std::string took = format_duration(seconds_since(start_));
  if (!validates_) {
    log::info("done in {}: {} is the last epoch's network, as there is no validation", took,
              best.string());
  } else if (state.best < 0) {
    log::warning("done in {}, but in no epoch a network computed numbers for all images", took);
  } else {
    log::info("done in {}: {:.2f} % {} at best, by the {} weights after epoch {}: {}", took,
              state.best, metric_.title, to_string(state.best_weights), state.best_epoch,
              best.string());
  }
}

}  // namespace mobileone
