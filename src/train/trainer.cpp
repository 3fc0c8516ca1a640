#include "mobileone/train/trainer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "mobileone/bench/training.h"
#include "mobileone/config/writer.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/optim/schedule.h"
#include "mobileone/train/classification.h"
#include "mobileone/train/environment.h"
#include "mobileone/train/learner.h"
#include "mobileone/train/pretrained.h"
#include "mobileone/train/run_folder.h"
#include "mobileone/train/run_log.h"
#include "mobileone/train/same_session.h"
#include "mobileone/train/training_data.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/log.h"
#include "mobileone/util/progress.h"
#include "mobileone/util/seconds.h"
#include "mobileone/util/signals.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

using Clock = Progress::Clock;

/// More batches in a row that are not finite end a run whatever runtime.on_nonfinite says.
constexpr int64_t kMostLeftOut = 20;

/// The moving average in the network's place, for as long as this lives.
class AverageInPlace {
 public:
  explicit AverageInPlace(Ema& ema) : ema_(ema) { ema_.swap(); }
  ~AverageInPlace() { ema_.swap(); }
  AverageInPlace(const AverageInPlace&) = delete;
  AverageInPlace& operator=(const AverageInPlace&) = delete;

 private:
  Ema& ema_;
};

/// Thrown out of a validation that a signal cuts short.
struct Interrupted {};

class Trainer {
 public:
  /// `folder` is null but in the process that writes.
  Trainer(const Config& config, TrainingData data, RunFolder* folder, const Workers& workers);

  void resume(const Checkpoint& checkpoint, const std::string& origin);
  void start() { load_pretrained(config_, train_data_.list(), learner_); }
  /// Makes where this process stands rank 0's.
  void share_state();
  /// 0, or the signal that stopped it.
  int run();

 private:
  void begin();
  bool train_epoch();
  int64_t images_of_all(const Batch& batch) const;
  void train_step(const Batch& batch, int64_t images);
  void listen();
  void leave_out(const Batch& batch, double loss);
  Metrics validate();
  void measure(const std::string& prefix, Metrics& metrics);
  void finish_epoch();
  void report_epoch(const Metrics& row) const;
  void save_if_due();
  void save(bool is_best);
  std::set<int64_t> damaged_anywhere() const;
  int stop();
  double mean_loss() const;
  double lr_at(int64_t step) const { return learning_rate(config_, step, total_steps()); }
  double weight_decay_at(int64_t step) const { return weight_decay(config_, step, total_steps()); }
  int64_t total_steps() const { return train_data_.batches_per_epoch() * config_.schedule.epochs; }

  const Config config_;
  RunFolder* const folder_;
  const Workers& workers_;
  SignalWatch signals_;
  Loader train_data_;
  std::unique_ptr<Loader> val_data_;
  Learner learner_;
  std::optional<RunLog> log_;

  TrainingState state_;  // momentum, file lengths and damage are filled in when it is saved
  Metrics validation_;   // the last one's
  Clock::time_point step_start_, saved_ = Clock::now();
  // What all processes have agreed on.
  int stop_signal_ = 0;
  bool save_due_ = false, save_asked_ = false;
};

Trainer::Trainer(const Config& config, TrainingData data, RunFolder* folder, const Workers& workers)
    : config_(config),
      folder_(folder),
      workers_(workers),
      train_data_(std::move(data.train), training_loader_options(config, workers)),
      learner_(config, workers) {
  state_.data = fingerprint(train_data_.list());
  if (!data.val) return;
  LoaderOptions options = loader_options(config.data);
  options.batch_size = config.schedule.batch_size;
  options.share = {.rank = workers.rank(), .size = workers.size(), .whole_batches = true};
  val_data_ = std::make_unique<Loader>(*std::move(data.val), options);
}

// Going on from a checkpoint.

void Trainer::resume(const Checkpoint& checkpoint, const std::string& origin) {
  require_same_run(checkpoint, config_, origin);
  require_same_classes(checkpoint.class_names, origin, train_data_.list());
  if (checkpoint.training->data != state_.data) {
    throw Error(
        "{}: was trained on other images than {}, which has {} (their names or labels differ); "
        "resume with the same",
        origin, train_data_.list().origin, train_data_.list().size());
  }
  if (checkpoint.training->epoch > config_.schedule.epochs ||
      checkpoint.training->batches > train_data_.batches_per_epoch()) {
    throw Error("{}: is damaged: its epoch or batch lies beyond the schedule", origin);
  }
  load_state_dict(*learner_.network(), checkpoint.weights, origin);
  learner_.optimizer().load_momentum(checkpoint.training->momentum, origin);
  if (learner_.ema() != nullptr) learner_.ema()->load(checkpoint.ema, origin);
  state_ = *checkpoint.training;
  train_data_.set_damaged(state_.damaged);
  validation_ = checkpoint.metrics;
  if (state_.epoch == config_.schedule.epochs) {
    log::info("{}: is of a run that has come to its end, after {} epochs", origin, state_.epoch);
  } else {
    log::info("going on from {}, step {} (epoch {}/{})", origin, state_.step, state_.epoch + 1,
              config_.schedule.epochs);
  }
}

void Trainer::share_state() {
  if (workers_.alone()) return;
  learner_.share_state();
  const auto& s = state_;
  const std::string own =
      fmt::format("{} {} {} {} {} {} {} {} {}", s.step, s.epoch, s.best, s.left_out, s.batches,
                  s.images, s.loss_sum, s.seconds, fmt::join(s.damaged, " "));
  std::istringstream first(workers_.gather(own)[0]);
  first >> state_.step >> state_.epoch >> state_.best >> state_.left_out >> state_.batches >>
      state_.images >> state_.loss_sum >> state_.seconds;
  state_.damaged = {std::istream_iterator<int64_t>(first), {}};
  train_data_.set_damaged(state_.damaged);
}

// A run: epochs of load, forward, backward, update, report.

int Trainer::run() {
  if (folder_ != nullptr) begin();
  while (state_.epoch < config_.schedule.epochs) {
    if (!train_epoch()) return stop();
    try {
      validation_ = validate();
    } catch (const Interrupted&) {
      return stop();
    }
    finish_epoch();
  }
  return 0;
}

void Trainer::begin() {
  const fs::path& dir = folder_->dir();
  const ImageList& list = train_data_.list();
  std::string classes;
  for (const auto& name : list.class_names) classes += name + "\n";
  write_whole(dir / "config.yaml", to_yaml(config_));
  write_whole(dir / "classes.txt", classes);
  record_session(dir / "environment.json", {config_, list, state_.data,
                                            val_data_ ? &val_data_->list() : nullptr, state_.step});
  log_.emplace(dir, state_.files, state_.step, config_.output.json_log);
}

/// Whether the epoch came to its end; if not, a signal has.
bool Trainer::train_epoch() {
  learner_.network()->train();
  train_data_.start_epoch(state_.epoch, training_transform(config_, state_.epoch), state_.batches);
  std::optional<Progress> progress;
  if (workers_.first()) {
    progress.emplace(fmt::format("epoch {}/{}", state_.epoch + 1, config_.schedule.epochs),
                     train_data_.batches_per_epoch() * config_.schedule.batch_size, "img",
                     state_.images);
  }
  step_start_ = Clock::now();
  while (const auto batch = train_data_.next()) {
    const int64_t images = images_of_all(*batch);
    if (images == 0) continue;
    train_step(*batch, images);
    if (progress) {
      progress->update(state_.images,
                       fmt::format("loss {:.3f}  lr {:.4g}", mean_loss(), lr_at(state_.step - 1)));
    }
    listen();
    if (stop_signal_ != 0) return false;
    save_if_due();
  }
  if (state_.batches == 0) throw Error("{}: no readable image in it", config_.data.train);
  learner_.average_statistics();
  return true;
}

/// The images that all processes together have of a batch; 0 if one has too few, since damaged ones
/// were left out. (The loader of a process alone sees to that itself.)
int64_t Trainer::images_of_all(const Batch& batch) const {
  const int64_t own = batch.labels.size(0);
  const bool enough = workers_.alone() || own >= 2 * config_.schedule.accumulate;
  const auto sums = workers_.sums({static_cast<double>(own), enough ? 0.0 : 1.0});
  return sums[1] > 0 ? 0 : static_cast<int64_t>(sums[0]);
}

/// Of a batch of which all processes together have `images`.
void Trainer::train_step(const Batch& batch, int64_t images) {
  const double lr = lr_at(state_.step), decay = weight_decay_at(state_.step);
  const double share = static_cast<double>(batch.labels.size(0)) / static_cast<double>(images);
  const StepResult result = learner_.step(batch, lr, decay, share);
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
  if (log_ && state_.step % config_.output.log_every == 0) {
    log_->add_step(state_.epoch + 1, state_.step,
                   {{"train_loss", result.loss},
                    {"lr", lr},
                    {"weight_decay", decay},
                    {"images_per_second", images / seconds}});
  }
}

/// Agrees with the other processes on what signals, and rank 0's clock, ask of them.
void Trainer::listen() {
  const double limit = 60 * config_.checkpoints.every_minutes;
  const bool due = workers_.first() && limit > 0 && seconds_since(saved_) >= limit;
  const auto asked = workers_.sums({signals_.stop() != 0 ? 1.0 : 0.0,
                                    signals_.take_save_request() ? 1.0 : 0.0, due ? 1.0 : 0.0});
  if (asked[0] > 0) stop_signal_ = signals_.stop() != 0 ? signals_.stop() : SIGTERM;
  save_asked_ = save_asked_ || asked[1] > 0;
  save_due_ = save_asked_ || asked[2] > 0;
}

/// Of a batch whose loss or gradient is not finite.
void Trainer::leave_out(const Batch& batch, double loss) {
  std::vector<std::string> files;
  for (const int64_t index : batch.indices) {
    files.push_back(train_data_.list().name(index));
  }
  const size_t named = std::min<size_t>(3, files.size());
  const fs::path list =
      fs::path(config_.output.dir) / fmt::format("nonfinite-{}.txt", state_.step + 1);
  const auto of_all = workers_.gather(fmt::format("{}", fmt::join(files, "\n")));
  if (folder_ != nullptr) write_whole(list, fmt::format("{}\n", fmt::join(of_all, "\n")));
  const std::string what = fmt::format(
      "step {} (epoch {}, lr {:.4g}): the loss is {}{} on {}{}", state_.step + 1, state_.epoch + 1,
      lr_at(state_.step), loss,
      std::isfinite(loss) ? " but its gradient or statistics are not finite" : "",
      fmt::join(files.begin(), files.begin() + named, ", "),
      files.size() > named ? fmt::format(" and {} more ({})", files.size() - named, list.string())
                           : "");
  if (config_.runtime.on_nonfinite == OnNonfinite::kSkip && ++state_.left_out <= kMostLeftOut) {
    log::warning("{}; the batch was left out", what);
    return;
  }
  throw Error(
      "{}; last good checkpoint: {}; lower optimizer.lr, lengthen schedule.warmup_epochs, set "
      "optimizer.clip_norm or, for single bad images, runtime.on_nonfinite=skip",
      what,
      folder_ != nullptr && has_checkpoint(folder_->dir()) ? folder_->last().string() : "none yet");
}

Metrics Trainer::validate() {
  Metrics metrics;
  if (!val_data_) return metrics;
  measure("val", metrics);
  if (Ema* ema = learner_.ema()) {
    const AverageInPlace average(*ema);
    measure("ema", metrics);
  }
  return metrics;
}

void Trainer::measure(const std::string& prefix, Metrics& metrics) {
  val_data_->start_epoch(0, eval_transform(config_.data));
  auto folded = fold(learner_.network());
  const auto forward = [&](const torch::Tensor& images) {
    return learner_.forward(folded, images);
  };
  const auto heed_signals = [&] {
    listen();
    if (stop_signal_ != 0) throw Interrupted();
  };
  const auto meter = evaluate_classification(forward, *val_data_, learner_.device(), workers_,
                                             {.before = heed_signals});
  metrics.emplace_back(prefix + "_loss", meter.loss());
  metrics.emplace_back(prefix + "_top1", meter.top1());
  if (std::isfinite(meter.top5())) metrics.emplace_back(prefix + "_top5", meter.top5());
}

double metric(const Metrics& metrics, const std::string& name) {
  for (const auto& [key, value] : metrics) {
    if (key == name) return value;
  }
  return -1;
}

void Trainer::finish_epoch() {
  Metrics row = {{"epoch", static_cast<double>(state_.epoch + 1)},
                 {"step", static_cast<double>(state_.step)},
                 {"size", static_cast<double>(curriculum_stage(config_, state_.epoch).size)},
                 {"lr", lr_at(state_.step - 1)},
                 {"weight_decay", weight_decay_at(state_.step - 1)},
                 {"train_loss", mean_loss()}};
  row.insert(row.end(), validation_.begin(), validation_.end());
  row.emplace_back("images_per_second", static_cast<double>(state_.images) / state_.seconds);
  row.emplace_back("seconds", state_.seconds);
  if (log_) log_->add_epoch(state_.step, row);
  report_epoch(row);

  ++state_.epoch;
  state_.batches = state_.images = 0;
  state_.loss_sum = state_.seconds = 0;
  const double score = metric(validation_, learner_.ema() != nullptr ? "ema_top1" : "val_top1");
  const bool is_best = score > state_.best || validation_.empty();
  state_.best = std::max(state_.best, score);
  save(is_best);
}

void Trainer::report_epoch(const Metrics& row) const {
  std::string accuracy;
  for (const auto& [name, value] : validation_) {
    if (!name.ends_with("_loss")) accuracy += fmt::format("  {} {:.2f}", name, value);
  }
  log::info("epoch {}/{}  loss {:.3f}{}  {:.0f} img/s  {}", state_.epoch + 1,
            config_.schedule.epochs, mean_loss(), accuracy, metric(row, "images_per_second"),
            format_duration(state_.seconds));
}

double Trainer::mean_loss() const { return state_.loss_sum / std::max<int64_t>(1, state_.images); }

// Checkpoints.

void Trainer::save_if_due() {
  if (!save_due_) return;
  save(/*is_best=*/false);
  if (save_asked_ && folder_ != nullptr) {
    log::info("SIGUSR1: saved {} at step {}", folder_->last().string(), state_.step);
  }
  save_asked_ = false;
  step_start_ = Clock::now();
}

void Trainer::save(bool is_best) {
  learner_.average_statistics();
  const std::set<int64_t> damaged = damaged_anywhere();
  if (folder_ == nullptr) return;
  const FlatState& flat = learner_.state();
  Checkpoint checkpoint;
  checkpoint.config = config_;
  checkpoint.class_names = train_data_.list().class_names;
  checkpoint.weights = flat.named_state(flat.parameters, flat.buffers);
  if (learner_.ema() != nullptr) checkpoint.ema = learner_.ema()->named_state();
  checkpoint.metrics = validation_;
  checkpoint.training = state_;
  checkpoint.training->momentum = flat.named_parameters(learner_.optimizer().momentum());
  checkpoint.training->files = log_->sync();
  checkpoint.training->damaged = damaged;
  folder_->save(checkpoint, is_best, config_.checkpoints.keep);
  saved_ = Clock::now();
}

/// Images that any process found unreadable.
std::set<int64_t> Trainer::damaged_anywhere() const {
  std::set<int64_t> all;
  for (const auto& text :
       workers_.gather(fmt::format("{}", fmt::join(train_data_.damaged(), " ")))) {
    std::istringstream positions(text);
    all.insert(std::istream_iterator<int64_t>(positions), {});
  }
  require_few_damaged(train_data_.list(), std::ssize(all));
  return all;
}

int Trainer::stop() {
  save(/*is_best=*/false);
  if (folder_ != nullptr) {
    log::info("{}: stopped after step {} (epoch {}/{}) and saved {}; go on with --resume",
              stop_signal_ == SIGINT ? "SIGINT" : "SIGTERM", state_.step, state_.epoch + 1,
              config_.schedule.epochs, folder_->last().string());
  }
  return stop_signal_;
}

/// Throws Error unless a run can start there so.
void require_start(const std::string& dir, const TrainingStart& start) {
  if (start.resumes() && !has_run(dir)) {
    throw Error("{}: holds no run to resume; start one without --resume, or check output.dir", dir);
  }
  if (!start.resumes() && has_checkpoint(dir)) {
    throw Error(
        "{}: already holds a run (last.pth); go on with --resume, or choose another output.dir",
        dir);
  }
}

/// Throws Error unless each process can have its part of every batch.
void require_shares(const Config& config, const Workers& workers) {
  const int64_t fewest = 2 * config.schedule.accumulate * workers.size();
  if (!workers.alone() && config.schedule.batch_size < fewest) {
    throw Error(
        "schedule.batch_size: {} processes, two images for each of {} part(s) of a batch, need at "
        "least {}, got {}",
        workers.size(), config.schedule.accumulate, fewest, config.schedule.batch_size);
  }
}

/// Says so where the precision asked for makes training slower on this machine.
void warn_of_slow_precision(const Config& config) {
  const RuntimeConfig& runtime = config.runtime;
  if (runtime.precision == Precision::kFloat32 || !choose_device(runtime.device).is_cpu()) return;
  constexpr double kNoise = 1.1;
  const double cost = precision_cost(config);
  if (cost < kNoise) return;
  log::warning(
      "runtime.precision: with {} and the engine '{}' a training step takes {:.1f} times as long "
      "as "
      "with fp32 on this machine; set runtime.precision=fp32 unless memory is short",
      to_string(runtime.precision), to_string(runtime.engine), cost);
}

int train_together(Config config, const TrainingStart& start, const Workers& workers) {
  std::optional<TrainingData> data;
  std::optional<RunFolder> folder;
  workers.together([&] {
    require_shares(config, workers);
    if (workers.first()) require_start(config.output.dir, start);
    data = read_training_data(config);
  });
  require_same_session(config, *data, workers);
  workers.together([&] {
    if (!workers.first()) return;
    warn_of_slow_precision(config);
    folder.emplace(config.output.dir);
    require_start(config.output.dir, start);  // another run may have been faster
  });
  Trainer trainer(config, *std::move(data), folder ? &*folder : nullptr, workers);
  workers.together([&] {
    if (!folder) return;
    if (!start.from.empty()) {
      trainer.resume(load_training_checkpoint(start.from), start.from.string());
      folder->go_back_to(start.from);
    } else if (start.resume && has_checkpoint(folder->dir())) {
      trainer.resume(folder->load_last(), folder->last().string());
    } else {
      if (start.resume) {
        log::info("{}: was stopped before its first checkpoint; starting anew",
                  folder->dir().string());
      }
      trainer.start();
    }
  });
  trainer.share_state();
  return trainer.run();
}

}  // namespace

int train(const Config& config, const TrainingStart& start, const Workers& workers) {
  std::signal(SIGUSR1, SIG_IGN);  // while there is nothing to save yet
  if (!workers.first()) log::only_warnings();
  int signal = 0;
  workers.run([&] { signal = train_together(config, start, workers); });
  return signal;
}

}  // namespace mobileone
