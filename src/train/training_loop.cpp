#include "training_loop.h"

#include <fmt/ranges.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <iterator>
#include <sstream>
#include <type_traits>
#include <utility>

#include "mobileone/data/class_match.h"
#include "mobileone/train/environment.h"
#include "mobileone/train/same_run.h"
#include "mobileone/train/session_start.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/log.h"
#include "mobileone/util/random.h"
#include "mobileone/util/seconds.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

/// More batches in a row that are not finite end a run whatever runtime.on_nonfinite says.
constexpr int64_t kMostLeftOut = 20;

/// Thrown out of a validation that a signal cuts short.
struct Interrupted {};

}  // namespace

TrainingLoop::TrainingLoop(const Config& config, TrainingData data, RunFolder* folder,
                           const Processes& processes)
    : config_(config),
      folder_(folder),
      processes_(processes),
      train_data_(std::move(data.train), training_loader_options(config, processes)),
      learner_(config, processes, class_weights(config, train_data_.list())),
      report_(config, train_data_.batches_per_epoch(), processes.first()) {
  if (data.val) validation_ = std::make_unique<Validation>(*std::move(data.val), config, processes);
  if (folder_ == nullptr) return;
  state_.data = data_state(train_data_.list(), validation_ ? &validation_->list() : nullptr);
}

// Going on from a checkpoint.

void TrainingLoop::resume(const Checkpoint& checkpoint, const std::string& origin,
                          bool accept_changes) {
  auto files = RunLog::lengths_there(folder_->dir(), checkpoint.training->files, accept_changes);
  require_same_run(checkpoint, config_, state_.data, origin, accept_changes);
  require_same_classes(checkpoint.class_names, origin, train_data_.list());
  if (checkpoint.training->batches > train_data_.batches_per_epoch()) {
    throw Error("{}: is damaged: its batch lies beyond the epoch", origin);
  }
  load_state_dict(*learner_.network(), checkpoint.weights, origin);
  learner_.optimizer().load(checkpoint.training->optimizer, origin);
  if (learner_.ema() != nullptr) learner_.ema()->load(checkpoint.ema, origin);
  const DataState data = state_.data;
  state_ = *checkpoint.training;
  state_.data = data;
  state_.files = std::move(files);
  train_data_.set_damaged(state_.damaged);
  verdict_ = {checkpoint.metrics, checkpoint.better.value_or(Weights::kRaw)};
  if (state_.epoch == config_.schedule.epochs) {
    log::info("{}: is of a run that has come to its end, after {} epochs", origin, state_.epoch);
  } else {
    log::info("going on from {}, step {} (epoch {}/{})", origin, state_.step, state_.epoch + 1,
              config_.schedule.epochs);
  }
}

void TrainingLoop::share_state() {
  if (processes_.alone()) return;
  learner_.share_state();
  std::string own;
  state_.visit([&]<typename F>(const char*, const F& field) {
    if constexpr (std::is_arithmetic_v<F>) own += fmt::format("{} ", field);
  });
  std::istringstream first(processes_.gather(own)[0]);
  state_.visit([&]<typename F>(const char*, F& field) {
    if constexpr (std::is_arithmetic_v<F>) first >> field;
  });
  std::istringstream damaged(
      processes_.gather(fmt::format("{}", fmt::join(state_.damaged, " ")))[0]);
  state_.damaged = {std::istream_iterator<int64_t>(damaged), {}};
  train_data_.set_damaged(state_.damaged);
}

// A run: epochs of load, forward, backward, update, report.

int TrainingLoop::run() {
  if (folder_ != nullptr) begin();
  while (state_.epoch < config_.schedule.epochs) {
    if (!train_epoch()) return stop();
    try {
      validate();
    } catch (const Interrupted&) {
      return stop();
    }
    finish_epoch();
  }
  if (folder_ != nullptr) report_.end(state_, folder_->best());
  return 0;
}

void TrainingLoop::begin() {
  const fs::path& dir = folder_->dir();
  const ImageList& list = train_data_.list();
  const ImageList* val = validation_ ? &validation_->list() : nullptr;
  announce_session(config_, list, val, train_data_.batches_per_epoch(), processes_);
  std::string classes;
  for (const auto& name : list.class_names) classes += name + "\n";
  // First of all, as it tells that the folder is a run's.
  record_session(dir / "environment.json", {config_, list, state_.data, val, state_.step});
  folder_->keep_config(config_);
  write_whole(dir / "classes.txt", classes);
  log_.emplace(dir, state_.files, state_.step, config_.output.json_log);
}

/// Whether the epoch came to its end; if not, a signal has.
bool TrainingLoop::train_epoch() {
  learner_.network()->train();
  train_data_.start_epoch(state_.epoch, learner_.task().train_transform(config_, state_.epoch),
                          state_.batches);
  report_.begin_epoch(state_);
  step_start_ = Clock::now();
  while (const auto batch = train_data_.next()) {
    const BatchSize size = size_of_all(*batch);
    if (size.images == 0) continue;
    train_step(*batch, size);
    listen();
    if (stop_signal_ != 0) return false;
    save_if_due();
  }
  if (state_.batches == 0) throw Error("{}: no readable image in it", config_.data.train);
  if (state_.images == 0) {
    give_up(fmt::format("epoch {}: no batch had a finite loss and gradient", state_.epoch + 1));
  }
  learner_.average_statistics();
  return true;
}

/// Without images if a process has too few, since damaged ones were left out. (The loader of a
/// process alone sees to that itself.)
BatchSize TrainingLoop::size_of_all(const Batch& batch) const {
  const int64_t own = batch.images.size(0);
  const bool enough = processes_.alone() || own >= 2 * config_.schedule.accumulate;
  const auto sums =
      processes_.sums({static_cast<double>(own), learner_.weight_of(batch), enough ? 0.0 : 1.0});
  if (sums[2] > 0) return {};
  return {static_cast<int64_t>(sums[0]), sums[1]};
}

void TrainingLoop::train_step(const Batch& batch, const BatchSize& size) {
  const StepRates rates = rates_at(state_.step);
  const int64_t images = size.images;
  // Dropout's masks follow from the step, so that a resumed run draws those of one never stopped.
  torch::manual_seed(
      Random(static_cast<uint64_t>(config_.runtime.seed),
             {static_cast<uint64_t>(state_.step), static_cast<uint64_t>(processes_.rank())})
          .bits());
  const double step_weight = size.weight > 0 ? learner_.weight_of(batch) / size.weight : 0;
  const StepResult result = learner_.step(batch, rates, step_weight);
  if (result.finite) {
    state_.left_out = 0;
    state_.images += images;
    state_.loss_sum += result.loss * images;
  } else {
    leave_out(batch, result.loss);
  }
  ++state_.step;
  state_.batches = batch.number + 1;
  const double seconds = seconds_since(step_start_);
  step_start_ = Clock::now();
  state_.seconds += seconds;
  report_.step(state_, seconds);
  if (log_ && state_.step % config_.output.log_every == 0) {
    log_->add_step(state_.epoch + 1, state_.step,
                   {{"train_loss", result.loss},
                    {"lr", rates.lr},
                    {"weight_decay", rates.weight_decay},
                    {"images_per_second", images / seconds}});
  }
}

/// Agrees with the other processes on what signals, and rank 0's clock, ask of them.
void TrainingLoop::listen() {
  const double limit = 60 * config_.checkpoints.every_minutes;
  const bool due = processes_.first() && limit > 0 && seconds_since(saved_) >= limit;
  const auto asked = processes_.sums({signals_.stop() != 0 ? 1.0 : 0.0,
                                      signals_.take_save_request() ? 1.0 : 0.0, due ? 1.0 : 0.0});
  if (asked[0] > 0) stop_signal_ = signals_.stop() != 0 ? signals_.stop() : SIGTERM;
  save_asked_ = save_asked_ || asked[1] > 0;
  save_due_ = save_asked_ || asked[2] > 0;
}

/// Of a batch whose loss or gradient is not finite.
void TrainingLoop::leave_out(const Batch& batch, double loss) {
  std::vector<std::string> files;
  for (const int64_t index : batch.indices) {
    files.push_back(train_data_.list().name(index));
  }
  const size_t named = std::min<size_t>(3, files.size());
  const fs::path list =
      fs::path(config_.output.dir) / fmt::format("nonfinite-{}.txt", state_.step + 1);
  const auto of_all = processes_.gather(fmt::format("{}", fmt::join(files, "\n")));
  if (folder_ != nullptr) write_whole(list, fmt::format("{}\n", fmt::join(of_all, "\n")));
  const std::string what = fmt::format(
      "step {} (epoch {}, lr {:.4g}): the loss is {}{} on {}{}", state_.step + 1, state_.epoch + 1,
      rates_at(state_.step).lr, loss,
      std::isfinite(loss) ? " but its gradient or statistics are not finite" : "",
      fmt::join(files.begin(), files.begin() + named, ", "),
      files.size() > named ? fmt::format(" and {} more ({})", files.size() - named, list.string())
                           : "");
  if (config_.runtime.on_nonfinite == OnNonfinite::kSkip && ++state_.left_out <= kMostLeftOut) {
    log::warning("{}; the batch was left out", what);
    return;
  }
  give_up(what);
}

/// Ends a run whose numbers are no longer finite. Those in its checkpoints are: see `save`.
void TrainingLoop::give_up(const std::string& why) const {
  const bool saved = folder_ != nullptr && fs::exists(folder_->last());
  throw Error(
      "{}; last good checkpoint: {}; lower optimizer.lr, lengthen schedule.warmup_epochs, set "
      "optimizer.clip_norm or, for single bad images, runtime.on_nonfinite=skip",
      why, saved ? folder_->last().string() : "none yet");
}

/// Throws Interrupted where a signal cuts it short.
void TrainingLoop::validate() {
  if (!validation_) return;
  const auto start = Clock::now();
  const auto heed_signals = [&] {
    listen();
    if (stop_signal_ != 0) throw Interrupted();
  };
  verdict_ = validation_->judge(
      learner_, heed_signals,
      fmt::format("validation {}/{}", state_.epoch + 1, config_.schedule.epochs));
  report_.validation(seconds_since(start));
}

void TrainingLoop::finish_epoch() {
  const StepRates rates = rates_at(state_.step - 1);
  Metrics row = {{"epoch", static_cast<double>(state_.epoch + 1)},
                 {"step", static_cast<double>(state_.step)},
                 {"size", static_cast<double>(curriculum_stage(config_, state_.epoch).size)},
                 {"lr", rates.lr},
                 {"weight_decay", rates.weight_decay},
                 {"train_loss", mean_loss(state_)}};
  row.insert(row.end(), verdict_.metrics.begin(), verdict_.metrics.end());
  row.emplace_back("images_per_second", static_cast<double>(state_.images) / state_.seconds);
  row.emplace_back("seconds", state_.seconds);
  if (log_) log_->add_epoch(state_.step, row);
  const bool is_best = !validation_ || verdict_.score > state_.best;
  report_.epoch(state_, verdict_, is_best);

  ++state_.epoch;
  state_.batches = state_.images = 0;
  state_.loss_sum = state_.seconds = 0;
  if (is_best) {
    state_.best = verdict_.score;
    state_.best_epoch = state_.epoch;
    state_.best_weights = verdict_.better;
  }
  save(is_best);
}

// Checkpoints.

void TrainingLoop::save_if_due() {
  // What the last batches found no finite loss for may be the network's fault.
  if (!save_due_ || state_.left_out > 0) return;
  save(/*is_best=*/false);
  if (save_asked_ && folder_ != nullptr) {
    log::info("SIGUSR1: saved {} at step {}", folder_->last().string(), state_.step);
  }
  save_asked_ = false;
  step_start_ = Clock::now();
}

/// A network that does not compute numbers is not saved: it would take the place of one that does.
void TrainingLoop::save(bool is_best) {
  const StatisticsAveraged averaged(learner_);
  const std::set<int64_t> damaged = damaged_anywhere();
  if (folder_ == nullptr) return;
  if (!learner_.is_sound(config_.data.eval_crop)) {
    give_up(fmt::format("step {} (epoch {}): the network has come to compute no finite numbers",
                        state_.step, state_.epoch + 1));
  }
  const FlatState& flat = learner_.state();
  Checkpoint checkpoint;
  checkpoint.config = config_;
  checkpoint.class_names = train_data_.list().class_names;
  checkpoint.weights = flat.named_state(flat.parameters, flat.buffers);
  if (learner_.ema() != nullptr) checkpoint.ema = learner_.ema()->named_state();
  checkpoint.metrics = verdict_.metrics;
  const bool compared = learner_.ema() != nullptr && !verdict_.metrics.empty();
  if (compared) checkpoint.better = verdict_.better;
  checkpoint.training = state_;
  checkpoint.training->optimizer = learner_.optimizer().state();
  checkpoint.training->files = log_->sync();
  checkpoint.training->damaged = damaged;
  folder_->save(checkpoint, is_best, config_.checkpoints.keep);
  saved_ = Clock::now();
}

/// Images that any process found unreadable.
std::set<int64_t> TrainingLoop::damaged_anywhere() const {
  std::set<int64_t> all;
  for (const auto& text :
       processes_.gather(fmt::format("{}", fmt::join(train_data_.damaged(), " ")))) {
    std::istringstream positions(text);
    all.insert(std::istream_iterator<int64_t>(positions), {});
  }
  require_few_damaged(train_data_.list(), std::ssize(all));
  return all;
}

int TrainingLoop::stop() {
  save(/*is_best=*/false);
  if (folder_ != nullptr) {
    log::info("SIG{}: stopped after step {} (epoch {}/{}) and saved {}; go on with --resume",
              ::sigabbrev_np(stop_signal_), state_.step, state_.epoch + 1, config_.schedule.epochs,
              folder_->last().string());
  }
  return stop_signal_;
}

}  // namespace mobileone
