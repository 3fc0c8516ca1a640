#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/config/config.h"
#include "mobileone/data/image_list.h"
#include "mobileone/data/loader.h"
#include "mobileone/data/transforms.h"
#include "mobileone/dist/processes.h"
#include "mobileone/model/head.h"

namespace mobileone {

/// How well a network does over the images seen so far.
class Meter {
 public:
  virtual ~Meter() = default;

  /// `outputs` of a network in evaluation mode for `batch`, both on the CPU.
  virtual void add(const Outputs& outputs, const Batch& batch) = 0;
  /// Adds what the meters of the other processes have seen.
  virtual void sum_over(const Processes& processes) = 0;

  virtual int64_t images() const = 0;
  /// Images for which the network computed no finite outputs. They count as failed.
  virtual int64_t without_numbers() const = 0;
  /// "loss", then the task's own, in percent; those that say nothing are left out.
  virtual Metrics metrics() const = 0;
};

/// A number by which networks are compared; higher is better, percent.
struct MetricInfo {
  std::string_view name;   ///< in `Meter::metrics`: "top1"
  std::string_view title;  ///< in prose: "top-1"
};

/// What a network is trained for: all that the loop, the loader and validation ask of it. One
/// object serves a run, all its threads at once.
class Task {
 public:
  virtual ~Task() = default;

  /// Which decides which network is the best.
  virtual MetricInfo metric() const = 0;

  /// The images of data.train, which fit the network; sets model.num_classes where the
  /// configuration leaves it to the data. Throws Error.
  virtual ImageList read_training_images(Config& config) const = 0;
  /// Those of data.val, with the classes of `train`. Throws Error.
  virtual ImageList read_validation_images(const Config& config, const ImageList& train) const = 0;

  /// What training does to images in `epoch` (from 0).
  virtual Transform train_transform(const Config& config, int64_t epoch) const = 0;
  virtual Transform eval_transform(const DataConfig& data) const = 0;
  /// How images come to be judged, at most `batch_size` at once.
  virtual LoaderOptions eval_options(const DataConfig& data, int64_t batch_size) const = 0;

  /// What a run says of its network at the start, besides the size; empty: nothing.
  virtual std::string describe(const Config&) const { return ""; }

  /// What a batch weighs in the mean that its loss is.
  virtual double weight(const Batch& batch) const = 0;
  /// Of the outputs for `batch`, on their device.
  virtual torch::Tensor loss(const Outputs& outputs, const Batch& batch) const = 0;

  virtual std::unique_ptr<Meter> meter() const = 0;
};

/// The task of model.head. `class_weights` are the loss's, one a class; empty: all 1.
std::unique_ptr<Task> task_of(const Config& config, const std::vector<double>& class_weights = {});

/// One pass of `loader` (an epoch that has been started) without gradients: `see` gets each of this
/// process's batches, and the processes keep in step; `before` is called by all before each.
void for_each_batch(Loader& loader, const Processes& processes, const std::function<void()>& before,
                    const std::function<void(const Batch&)>& see);

}  // namespace mobileone
