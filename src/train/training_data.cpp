#include "mobileone/train/training_data.h"

#include <algorithm>

#include "mobileone/model/options.h"
#include "mobileone/optim/schedule.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

/// Throws Error unless the network can train on batches of the images that the data give.
void require_trainable(const Config& config) {
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
  for (int64_t i = 0; i < list.size(); ++i) {
    const int64_t label = list.labels[i];
    if (label >= kMostClasses) {
      throw Error("{}: label {} of {}: expected a class index below {}", list.origin, label,
                  list.name(i), kMostClasses);
    }
    classes = std::max(classes, label + 1);
  }
  return classes;
}

}  // namespace

TrainingData read_training_data(Config& config) {
  if (config.data.train.empty()) {
    throw Error(
        "data.train: is not set; name a folder of class folders, a CSV list, shards or a pack, for "
        "instance data.train=data/imagenet/train");
  }
  TrainingData data{read_image_list(config.data.train), std::nullopt};
  require_trainable(config);
  if (config.model.num_classes == 0) config.model.num_classes = count_classes(data.train);
  require_labels_below(data.train, config.model.num_classes);
  if (!config.data.val.empty()) {
    data.val = read_image_list(config.data.val);
    require_labels_below(*data.val, config.model.num_classes);
    require_same_classes(data.train.class_names, data.train.origin, *data.val);
  }
  return data;
}

LoaderOptions training_loader_options(const Config& config, const Workers& workers) {
  LoaderOptions options = loader_options(config.data);
  options.batch_size = config.schedule.batch_size;
  options.seed = static_cast<uint64_t>(config.runtime.seed);
  options.shuffle = options.drop_last = true;
  options.images.decoding = config.data.fast_decode ? Decoding::kScaled : Decoding::kCropped;
  options.erase = config.augment.erase;
  options.mix = config.augment.mix;
  options.share = {.rank = workers.rank(), .size = workers.size()};
  // Batch norm needs a variance. Several processes leave a batch out together.
  options.fewest = workers.alone() ? std::min<int64_t>(2, options.batch_size) : 0;
  return options;
}

Transform training_transform(const Config& config, int64_t epoch) {
  const CurriculumStage stage = curriculum_stage(config, epoch);
  return train_transform(config.augment, config.data.interpolation, stage.size, stage.strength);
}

}  // namespace mobileone
