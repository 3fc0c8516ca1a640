#include "mobileone/train/training_data.h"

#include <algorithm>

#include "mobileone/model/options.h"
#include "mobileone/task/task.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

/// Throws Error unless the network can train on batches of the images that the data give.
void require_trainable(const Config& config) {
  int64_t size = config.data.size;
  for (const auto& stage : config.curriculum.stages) size = std::min(size, stage.size);
  const NetworkOptions network = network_options(config);
  for (const auto& unit : unit_table(network)) size = unit.output_size(size);
  int64_t halvings = 0;
  for (const auto& layer : head_table(network)) halvings = std::max(halvings, layer.halvings);
  for (int64_t i = 0; i < halvings; ++i) size = (size + 1) / 2;
  const int64_t images = config.schedule.batch_size / config.schedule.accumulate;
  if (images * size * size < 2) {
    throw Error(
        "schedule.batch_size: a part of {} image(s) leaves the last batch norm one value per "
        "channel; raise schedule.batch_size or lower schedule.accumulate",
        images);
  }
}

void require_class_weights(const Config& config) {
  const auto weights = std::ssize(config.loss.class_weights);
  if (weights == 0 || weights == config.model.num_classes) return;
  throw Error("loss.class_weights: expected one for each of the {} classes of {}, got {}",
              config.model.num_classes, config.data.train, weights);
}

}  // namespace

TrainingData read_training_data(Config& config) {
  const auto task = task_of(config);
  TrainingData data{task->read_training_images(config), std::nullopt};
  require_trainable(config);
  require_class_weights(config);
  if (!config.data.val.empty()) data.val = task->read_validation_images(config, data.train);
  return data;
}

std::vector<double> class_weights(const Config& config, const ImageList& images) {
  if (!config.loss.balanced) return config.loss.class_weights;
  std::vector<int64_t> counts(static_cast<size_t>(config.model.num_classes));
  for (const int32_t label : images.labels) ++counts[label];
  const auto classes = std::ssize(counts) - std::ranges::count(counts, 0);
  std::vector<double> weights;
  for (const int64_t count : counts) {
    const auto even = static_cast<double>(images.size()) / static_cast<double>(classes);
    weights.push_back(count > 0 ? even / static_cast<double>(count) : 1);
  }
  return weights;
}

LoaderOptions training_loader_options(const Config& config, const Processes& processes) {
  LoaderOptions options = loader_options(config.data);
  options.batch_size = config.schedule.batch_size;
  options.seed = static_cast<uint64_t>(config.runtime.seed);
  options.shuffle = options.drop_last = true;
  options.sampler = config.data.sampler;
  options.images.decoding = config.data.fast_decode ? Decoding::kScaled : Decoding::kCropped;
  options.erase = config.augment.erase;
  options.mix = config.augment.mix;
  options.part = {.rank = processes.rank(), .size = processes.size()};
  // Batch norm needs a variance. Several processes leave a batch out together.
  options.fewest = processes.alone() ? std::min<int64_t>(2, options.batch_size) : 0;
  return options;
}

}  // namespace mobileone
