#pragma once

#include <optional>
#include <vector>

#include "mobileone/config/config.h"
#include "mobileone/data/image_list.h"
#include "mobileone/data/loader.h"
#include "mobileone/dist/processes.h"

namespace mobileone {

/// The image lists that a run trains on and is judged by.
struct TrainingData {
  ImageList train;
  std::optional<ImageList> val;
};

/// Reads data.train and data.val, and sets model.num_classes where the configuration leaves it to
/// the data. Throws Error where they do not fit the network, each other, or batches that can be
/// trained on.
TrainingData read_training_data(Config& config);

/// The loss's weights of classes, by loss.class_weights or loss.balanced; empty: all 1. A class
/// without images weighs 1.
std::vector<double> class_weights(const Config& config, const ImageList& images);

/// How a run loads its training images.
LoaderOptions training_loader_options(const Config& config,
                                      const Processes& processes = Processes::none());

}  // namespace mobileone
