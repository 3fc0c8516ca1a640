#pragma once

#include <array>
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

/// The two sets of weights that a checkpoint may hold: those of SGD, and their moving average.
enum class Weights { kRaw, kAverage };
inline constexpr auto enum_names(Weights) {
  return std::array<EnumName<Weights>, 2>{
      {{Weights::kRaw, "raw"}, {Weights::kAverage, "moving-average"}}};
}

/// Fingerprints of the images of a run (see image_list.h), by which one that goes on knows them;
/// empty: not known, or there is no validation set.
struct DataState {
  std::string train, train_sizes, val, val_sizes;
};

/// What training needs, beyond the weights, to go on as if it had never stopped. Random streams are
/// functions of runtime.seed, the epoch and an image's index, the curriculum's stage is one of the
/// epoch: nothing more is kept of them.
struct TrainingState {
  /// Of the optimizer (Optimizer::state): "momentum" of SGD, "exp_avg", "exp_avg_sq" and "step" of
  /// AdamW.
  std::map<std::string, StateDict> optimizer;
  int64_t step = 0;        ///< optimizer steps done
  int64_t epoch = 0;       ///< epochs done
  double best = -1.0;      ///< the best validation's score so far, percent; negative: none yet
  int64_t best_epoch = 0;  ///< from 1, whose it is
  Weights best_weights = Weights::kRaw;  ///< whose it is
  std::set<int64_t> damaged;  ///< positions in the list of training images found unreadable
  int64_t left_out = 0;       ///< batches in a row whose loss was not finite

  /// The epoch in progress.
  int64_t batches = 0;  ///< done, of those that the loader counts
  int64_t images = 0;
  double loss_sum = 0;  ///< over the images
  double seconds = 0;

  DataState data;
  std::map<std::string, int64_t> files;  ///< bytes of each log that this state has written

  /// Hands each field but the optimizer's to `v` as (name, field); checkpoints know them so.
  template <typename Visitor>
  void visit(Visitor&& v) {
    v("step", step);
    v("epoch", epoch);
    v("best", best);
    v("best_epoch", best_epoch);
    v("best_weights", best_weights);
    v("damaged", damaged);
    v("left_out", left_out);
    v("batches", batches);
    v("images", images);
    v("loss_sum", loss_sum);
    v("seconds", seconds);
    v("data", data.train);
    v("data_sizes", data.train_sizes);
    v("val", data.val);
    v("val_sizes", data.val_sizes);
    v("files", files);
  }
};

/// A network on disk: `last.pth`, `best.pth` and the output of `reparam`. A torch zip file that
/// Python's torch.load(path, weights_only=True) reads as a dict with the keys format, version,
/// state_dict, ema, better (the name of one of these), optimizer, training, config, class_names,
/// metrics. Every record of the zip file has a check sum.
struct Checkpoint {
  Config config;                         ///< resolved: model.num_classes is the real number
  std::vector<std::string> class_names;  ///< by class; empty if the data set names none
  StateDict weights;                     ///< under Apple's keys, unfolded or folded
  StateDict ema;                         ///< the moving average likewise; empty: none was kept
  Metrics metrics;                       ///< of the last validation
  std::optional<Weights> better;         ///< of weights and ema, by validation; empty: not compared
  std::optional<TrainingState> training;

  bool folded() const;
};

/// Writes the file whole or not at all.
void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// The file of the network that a user names: `path` itself or, where it is a run's folder, its
/// best.pth, or last.pth where there is no best one yet.
std::filesystem::path network_file(const std::filesystem::path& path);

/// Reads one of ours, or the weights of a MobileOne that another program wrote (see foreign.h).
/// Throws Error if the file is missing, damaged or neither. Of a file of version 1 `training` stays
/// empty: it does not say where in its logs it was.
Checkpoint load_checkpoint(const std::filesystem::path& path);

/// What is to be done about weights with unsound numbers (see numbers.h).
enum class Unsound { kRefuse, kAccept };

/// Of a checkpoint's weights the set that is wanted, or else the better one by validation; where
/// nothing compared them, the moving average, unless most of it is what a run began with. Throws
/// Error if there is no moving average to want.
Weights choose_weights(const Checkpoint& checkpoint, const std::string& origin,
                       std::optional<Weights> wanted = {});

/// Leaves the chosen set alone in `checkpoint`, as its `weights`, with nothing of training, and
/// says which one where there were two. Returns it.
Weights keep_one_set(Checkpoint& checkpoint, const std::string& origin,
                     std::optional<Weights> wanted = {});

/// The network that a checkpoint describes with the chosen weights, in evaluation mode on the CPU;
/// `origin` names the checkpoint in messages. Throws Error if the weights are not all there, before
/// memory is taken for what is described, or have no classifier, or are unsound.
MobileOne make_network(const Checkpoint& checkpoint, const std::string& origin,
                       std::optional<Weights> wanted = {}, Unsound unsound = Unsound::kRefuse);

}  // namespace mobileone
