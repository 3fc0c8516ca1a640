#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mobileone/config/config.h"
#include "mobileone/model/mobileone.h"
#include "mobileone/model/state_dict.h"

namespace mobileone {

/// Numbers by name, in the order they were measured ("val_top1" → 71.4).
using Metrics = std::vector<std::pair<std::string, double>>;

/// What training needs, beyond the weights, to go on as if it had never stopped. Random streams are
/// functions of runtime.seed, the epoch and an image's index, the curriculum's stage is one of the
/// epoch: nothing more is kept of them.
struct TrainingState {
  StateDict momentum;
  int64_t step = 0;           ///< optimizer steps done
  int64_t epoch = 0;          ///< epochs done
  double best = -1.0;         ///< best validation top-1 so far, percent; negative: none yet
  std::set<int64_t> damaged;  ///< positions in the list of training images found unreadable
  int64_t left_out = 0;       ///< batches in a row whose loss was not finite

  /// The epoch in progress.
  int64_t batches = 0;  ///< done, of those that the loader counts
  int64_t images = 0;
  double loss_sum = 0;  ///< over the images
  double seconds = 0;

  std::string data;                      ///< fingerprint of the training images
  std::map<std::string, int64_t> files;  ///< bytes of each log that this state has written
};

/// A network on disk: `last.pth`, `best.pth` and the output of `reparam`. A torch zip file that
/// Python's torch.load(path, weights_only=True) reads as a dict with the keys format, version,
/// state_dict, ema, optimizer, training, config, class_names, metrics. Every record of the zip file
/// has a check sum.
struct Checkpoint {
  Config config;                         ///< resolved: model.num_classes is the real number
  std::vector<std::string> class_names;  ///< by class; empty if the data set names none
  StateDict weights;                     ///< under Apple's keys, unfolded or folded
  StateDict ema;                         ///< the moving average likewise; empty: none was kept
  Metrics metrics;                       ///< of the last validation
  std::optional<TrainingState> training;

  bool folded() const;
};

/// Writes the file whole or not at all.
void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// Reads one of ours, or the weights of a MobileOne that another program wrote (see foreign.h).
/// Throws Error if the file is missing, damaged or neither. Of a file of version 1 `training` stays
/// empty: it does not say where in its logs it was.
Checkpoint load_checkpoint(const std::filesystem::path& path);

/// What is to be done about weights with unsound numbers (see numbers.h).
enum class Unsound { kRefuse, kAccept };

/// The network that a checkpoint describes with its weights (the moving average, if it has one and
/// `prefer_ema`), in evaluation mode on the CPU; `origin` names the checkpoint in errors. Throws
/// Error if the weights are not all there, before memory is taken for what is described, or have no
/// classifier, or are unsound.
MobileOne make_network(const Checkpoint& checkpoint, const std::string& origin,
                       bool prefer_ema = true, Unsound unsound = Unsound::kRefuse);

}  // namespace mobileone
