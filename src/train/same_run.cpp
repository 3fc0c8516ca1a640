#include "mobileone/train/same_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>
#include <string_view>
#include <vector>

#include "mobileone/config/difference.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"

namespace mobileone {
namespace {

/// What a run can change as it goes on.
enum class Change {
  kAllowed,     ///< where and how fast it computes, and what it writes
  kExperiment,  ///< what it comes to
  kImpossible   ///< its state would not fit
};

Change kind_of(const ConfigDifference& difference) {
  static const std::set<std::string, std::less<>> kImpossible = {"schedule.batch_size",
                                                                 "runtime.seed"};
  const std::string& key = difference.key;
  const auto comes_or_goes = [&](std::string_view none) {
    return difference.first == none || difference.second == none;
  };
  // metrics.csv has columns of the validation set and of the average.
  if ((key == "data.val" && comes_or_goes("\"\"")) || (key == "ema.decay" && comes_or_goes("0"))) {
    return Change::kImpossible;
  }
  if (difference.scope != Scope::kRecipe) return Change::kAllowed;
  const bool impossible = key.starts_with("model.") || key.starts_with("segment.") ||
                          key == "optimizer.name" || kImpossible.contains(key);
  return impossible ? Change::kImpossible : Change::kExperiment;
}

/// What differs, of each kind.
struct Changes {
  std::vector<std::string> allowed, of_experiment, impossible;

  void add(Change kind, std::string text) {
    (kind == Change::kAllowed      ? allowed
     : kind == Change::kExperiment ? of_experiment
                                   : impossible)
        .push_back(std::move(text));
  }
};

void add_keys(const Checkpoint& checkpoint, const Config& config, Changes& changes) {
  for (const auto& difference : differences(checkpoint.config, config)) {
    const auto& [key, was, is, scope] = difference;
    const bool more_epochs =
        key == "schedule.epochs" && config.schedule.epochs > checkpoint.config.schedule.epochs;
    changes.add(more_epochs ? Change::kAllowed : kind_of(difference),
                fmt::format("{} {} (was {}{})", key, is, was,
                            more_epochs ? "; the schedule is recomputed" : ""));
  }
}

/// Where both are known, which those of older checkpoints and of decoded packs are not.
bool differ(const std::string& first, const std::string& second) {
  return !first.empty() && !second.empty() && first != second;
}

void add_images(const DataState& was, const DataState& is, Changes& changes) {
  if (differ(was.train_sizes, is.train_sizes)) {
    changes.add(Change::kExperiment, "training images of other sizes under the same names");
  }
  if (differ(was.val, is.val)) {
    changes.add(Change::kExperiment, "another validation set (names or labels differ)");
  } else if (differ(was.val_sizes, is.val_sizes)) {
    changes.add(Change::kExperiment, "validation images of other sizes under the same names");
  }
}

}  // namespace

DataState data_state(const ImageList& train, const ImageList* val) {
  DataState state{fingerprint(train), sizes_fingerprint(train), {}, {}};
  if (val != nullptr) {
    state.val = fingerprint(*val);
    state.val_sizes = sizes_fingerprint(*val);
  }
  return state;
}

void require_same_run(const Checkpoint& checkpoint, const Config& config, const DataState& data,
                      const std::string& origin, bool accept_changes) {
  const TrainingState& state = *checkpoint.training;
  Changes changes;
  add_keys(checkpoint, config, changes);
  if (!changes.impossible.empty()) {
    throw Error("{}: is of a run with another configuration: {}; resume with the same", origin,
                fmt::join(changes.impossible, ", "));
  }
  if (state.data.train != data.train) {
    throw Error(
        "{}: was trained on other images than {} holds (their names or labels differ); resume with "
        "the same",
        origin, config.data.train);
  }
  if (state.epoch > config.schedule.epochs) {
    throw Error("{}: has done {} epochs, more than schedule.epochs says: {}", origin, state.epoch,
                config.schedule.epochs);
  }
  add_images(state.data, data, changes);
  if (!changes.of_experiment.empty() && !accept_changes) {
    throw Error(
        "{}: is of another experiment: {}; resume with what it had, or go on all the same with "
        "--accept-changes",
        origin, fmt::join(changes.of_experiment, ", "));
  }
  std::vector<std::string> all = changes.of_experiment;
  all.insert(all.end(), changes.allowed.begin(), changes.allowed.end());
  if (all.empty()) return;
  const std::string line = fmt::format("going on with {}", fmt::join(all, ", "));
  changes.of_experiment.empty() ? log::info("{}", line) : log::warning("{}", line);
}

}  // namespace mobileone
