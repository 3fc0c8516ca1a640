#include "mobileone/train/trainer.h"

#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "mobileone/config/writer.h"
#include "mobileone/data/loader.h"
#include "mobileone/optim/loss.h"
#include "mobileone/optim/optimizer.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/optim/schedule.h"
#include "mobileone/train/classification.h"
#include "mobileone/train/metrics_file.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/log.h"
#include "mobileone/util/progress.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

/// What one epoch of training amounted to.
struct EpochSummary {
  double loss = 0;  ///< mean over the images
  double seconds = 0;
  double images_per_second = 0;
  double lr = 0;  ///< of the last step
  double weight_decay = 0;
};

LoaderOptions run_options(const Config& config, bool training) {
  LoaderOptions options = loader_options(config.data);
  options.batch_size = config.schedule.batch_size;
  options.seed = static_cast<uint64_t>(config.runtime.seed);
  options.shuffle = options.drop_last = training;
  return options;
}

class Trainer {
 public:
  explicit Trainer(Config config);

  void resume(const fs::path& path);
  Metrics run();

 private:
  EpochSummary train_epoch();
  double forward_backward(const Batch& batch);
  void require_finite(double loss, double lr) const;
  Metrics validate();
  void report(const EpochSummary& epoch, const Metrics& validation);
  void save(const Metrics& validation);
  torch::Tensor to_device(const torch::Tensor& images) const;
  torch::Tensor forward(MobileOne& network, const torch::Tensor& images) const;

  Config config_;
  torch::Device device_;
  Loader train_data_;
  std::unique_ptr<Loader> val_data_;
  MobileOne network_{nullptr};
  std::unique_ptr<FlatState> state_;
  std::unique_ptr<Sgd> optimizer_;
  std::unique_ptr<Ema> ema_;
  std::unique_ptr<MetricsFile> metrics_;
  Metrics last_row_;
  int64_t epoch_ = 0, step_ = 0;
  double best_ = -1;
};

ImageList training_list(const Config& config) {
  if (config.data.train.empty()) {
    throw Error(
        "data.train: is not set; name a folder of class folders or a CSV list, for "
        "instance data.train=data/imagenet/train");
  }
  return read_image_list(config.data.train);
}

/// Throws Error unless the network can train on batches of the images that the data give.
void require_trainable(const Config& config) {
  if (config.model.in_channels != 3) {
    throw Error("model.in_channels: expected 3, the channels of image files, got {}",
                config.model.in_channels);
  }
  int64_t size = config.data.size;
  for (const auto& stage : config.curriculum.stages) size = std::min(size, stage.size);
  for (const auto& unit : unit_table(network_options(config.model))) size = unit.output_size(size);
  const int64_t images = config.schedule.batch_size / config.schedule.accumulate;
  if (images * size * size < 2) {
    throw Error(
        "schedule.batch_size: a part of {} image(s) leaves the last batch norm one value per "
        "channel; raise schedule.batch_size or lower schedule.accumulate",
        images);
  }
}

int64_t count_classes(const ImageList& list) {
  int64_t classes = static_cast<int64_t>(list.class_names.size());
  constexpr int64_t kMostClasses = 1'000'000;
  for (const auto& sample : list.samples) {
    if (sample.label >= kMostClasses) {
      throw Error("{}: label {} of {}: expected a class index below {}", list.origin, sample.label,
                  sample.path, kMostClasses);
    }
    classes = std::max(classes, sample.label + 1);
  }
  return classes;
}

Trainer::Trainer(Config config)
    : config_(std::move(config)),
      device_(choose_device(config_.runtime.device)),
      train_data_(training_list(config_), run_options(config_, /*training=*/true)) {
  require_trainable(config_);
  const ImageList& list = train_data_.list();
  if (config_.model.num_classes == 0) config_.model.num_classes = count_classes(list);
  require_labels_below(list, config_.model.num_classes);
  if (!config_.data.val.empty()) {
    ImageList val = read_image_list(config_.data.val);
    require_labels_below(val, config_.model.num_classes);
    require_same_classes(list.class_names, list.origin, val);
    val_data_ = std::make_unique<Loader>(std::move(val), run_options(config_, /*training=*/false));
  }
  prepare_training(config_.runtime);
  network_ = MobileOne(network_options(config_.model));
  network_->engine = config_.runtime.engine;
  network_->to(device_);
  state_ = std::make_unique<FlatState>(*network_);
  optimizer_ = std::make_unique<Sgd>(config_.optimizer, *state_);
  if (config_.ema.decay > 0) ema_ = std::make_unique<Ema>(config_.ema.decay, *state_);
}

void Trainer::resume(const fs::path& path) {
  const Checkpoint checkpoint = load_checkpoint(path);
  const std::string origin = path.string();
  if (!checkpoint.training) throw Error("{}: holds no training state to go on from", origin);
  load_state_dict(*network_, checkpoint.weights, origin);
  optimizer_->load_momentum(checkpoint.training->momentum, origin);
  if (ema_) ema_->load(checkpoint.ema, origin);
  epoch_ = checkpoint.training->epoch;
  step_ = checkpoint.training->step;
  best_ = checkpoint.training->best;
  require_same_classes(checkpoint.class_names, origin, train_data_.list());
  if (checkpoint.config.schedule.batch_size != config_.schedule.batch_size ||
      checkpoint.config.schedule.epochs != config_.schedule.epochs) {
    throw Error(
        "{}: was trained with schedule.batch_size {} and schedule.epochs {}, not {} and {}; "
        "resume with the same",
        origin, checkpoint.config.schedule.batch_size, checkpoint.config.schedule.epochs,
        config_.schedule.batch_size, config_.schedule.epochs);
  }
  log::info("resuming from {} after epoch {}", origin, epoch_);
}

// A run: epochs of load, forward, backward, update, report.

Metrics Trainer::run() {
  const fs::path dir = config_.output.dir;
  metrics_ = std::make_unique<MetricsFile>(dir / "metrics.csv", epoch_);
  std::string classes;
  for (const auto& name : train_data_.list().class_names) classes += name + "\n";
  write_whole(dir / "config.yaml", to_yaml(config_));
  write_whole(dir / "classes.txt", classes);
  while (epoch_ < config_.schedule.epochs) {
    const EpochSummary summary = train_epoch();
    ++epoch_;
    const Metrics validation = validate();
    report(summary, validation);
    save(validation);
  }
  return last_row_;
}

EpochSummary Trainer::train_epoch() {
  const CurriculumStage stage = curriculum_stage(config_, epoch_);
  const int64_t steps = train_data_.batches_per_epoch(), total = steps * config_.schedule.epochs;
  network_->train();
  train_data_.start_epoch(epoch_, train_transform(config_.augment, config_.data.interpolation,
                                                  stage.size, stage.strength));
  Progress progress(fmt::format("epoch {}/{}", epoch_ + 1, config_.schedule.epochs),
                    steps * config_.schedule.batch_size, "img");
  EpochSummary summary;
  int64_t images = 0;
  const auto start = Progress::Clock::now();
  while (const auto batch = train_data_.next()) {
    summary.lr = learning_rate(config_, step_, total);
    summary.weight_decay = weight_decay(config_, step_, total);
    const double loss = forward_backward(*batch);
    require_finite(loss, summary.lr);
    optimizer_->step(summary.lr, summary.weight_decay);
    if (ema_) ema_->update();
    ++step_;
    images += batch->labels.size(0);
    summary.loss += loss * batch->labels.size(0);
    progress.update(images,
                    fmt::format("loss {:.3f}  lr {:.4g}", summary.loss / images, summary.lr));
  }
  if (images == 0) throw Error("{}: no readable image in it", config_.data.train);
  summary.seconds = std::chrono::duration<double>(Progress::Clock::now() - start).count();
  summary.images_per_second = images / summary.seconds;
  summary.loss /= images;
  return summary;
}

double Trainer::forward_backward(const Batch& batch) {
  const int64_t count = batch.labels.size(0),
                parts = std::clamp<int64_t>(config_.schedule.accumulate, 1,
                                            std::max<int64_t>(1, count / 2));
  const auto images = to_device(batch.images).tensor_split(parts);
  const auto labels = batch.labels.to(device_).tensor_split(parts);
  double mean_loss = 0;
  for (size_t i = 0; i < images.size(); ++i) {
    auto loss =
        classification_loss(forward(network_, images[i]), labels[i], config_.loss.label_smoothing);
    loss = loss * (static_cast<double>(labels[i].size(0)) / count);
    loss.backward();
    mean_loss += loss.item<double>();
  }
  return mean_loss;
}

void Trainer::require_finite(double loss, double lr) const {
  if (std::isfinite(loss)) return;
  throw Error(
      "step {} (epoch {}, lr {:.4g}): the loss is {}; lower optimizer.lr, lengthen "
      "schedule.warmup_epochs or set optimizer.clip_norm{}",
      step_ + 1, epoch_ + 1, lr, loss,
      epoch_ == 0 ? "" : fmt::format("; last.pth holds the run up to epoch {}", epoch_));
}

Metrics Trainer::validate() {
  if (!val_data_) return {};
  Metrics metrics;
  const auto measure = [&](const std::string& prefix) {
    val_data_->start_epoch(0, eval_transform(config_.data));
    auto folded = fold(network_);
    const auto meter = evaluate_classification(
        [&](const auto& x) { return forward(folded, to_device(x)); }, *val_data_, device_);
    metrics.emplace_back(prefix + "_loss", meter.loss());
    metrics.emplace_back(prefix + "_top1", meter.top1());
    metrics.emplace_back(prefix + "_top5", meter.top5());
  };
  measure("val");
  if (ema_) {
    ema_->swap();
    measure("ema");
    ema_->swap();
  }
  return metrics;
}

torch::Tensor Trainer::to_device(const torch::Tensor& images) const {
  const auto format = config_.runtime.channels_last ? torch::MemoryFormat::ChannelsLast
                                                    : torch::MemoryFormat::Contiguous;
  return images.to(device_).contiguous(format);
}

torch::Tensor Trainer::forward(MobileOne& network, const torch::Tensor& images) const {
  const PrecisionGuard guard(device_, config_.runtime.precision);
  return network->forward(images);
}

double metric(const Metrics& metrics, const std::string& name) {
  for (const auto& [key, value] : metrics) {
    if (key == name) return value;
  }
  return -1;
}

void Trainer::report(const EpochSummary& epoch, const Metrics& validation) {
  last_row_ = {{"epoch", static_cast<double>(epoch_)},
               {"step", static_cast<double>(step_)},
               {"size", static_cast<double>(curriculum_stage(config_, epoch_ - 1).size)},
               {"lr", epoch.lr},
               {"weight_decay", epoch.weight_decay},
               {"train_loss", epoch.loss}};
  last_row_.insert(last_row_.end(), validation.begin(), validation.end());
  last_row_.emplace_back("images_per_second", epoch.images_per_second);
  last_row_.emplace_back("seconds", epoch.seconds);
  metrics_->append(last_row_);

  std::string accuracy;
  for (const auto& [name, value] : validation) {
    if (!name.ends_with("_loss")) accuracy += fmt::format("  {} {:.2f}", name, value);
  }
  log::info("epoch {}/{}  loss {:.3f}{}  {:.0f} img/s  {}", epoch_, config_.schedule.epochs,
            epoch.loss, accuracy, epoch.images_per_second, format_duration(epoch.seconds));
}

void Trainer::save(const Metrics& validation) {
  Checkpoint checkpoint;
  checkpoint.config = config_;
  checkpoint.class_names = train_data_.list().class_names;
  checkpoint.weights = state_->named_state(state_->parameters, state_->buffers);
  if (ema_) checkpoint.ema = ema_->named_state();
  checkpoint.metrics = validation;
  const double score = metric(validation, ema_ ? "ema_top1" : "val_top1");
  const bool better = score > best_ || validation.empty();
  best_ = std::max(best_, score);
  checkpoint.training =
      TrainingState{state_->named_parameters(optimizer_->momentum()), step_, epoch_, best_};
  const fs::path dir = config_.output.dir;
  // The best first: last.pth says that it is there.
  if (better) save_checkpoint(dir / "best.pth", checkpoint);
  save_checkpoint(dir / "last.pth", checkpoint);
}

}  // namespace

Metrics train(Config config, bool resume) {
  const fs::path dir = config.output.dir, last = dir / "last.pth";
  if (!resume && fs::exists(last)) {
    throw Error(
        "{}: already holds a run (last.pth); go on with --resume, or choose another "
        "output.dir",
        dir.string());
  }
  if (resume) require_file(last, "checkpoint to resume from");
  Trainer trainer(std::move(config));
  if (resume) trainer.resume(last);
  return trainer.run();
}

}  // namespace mobileone
