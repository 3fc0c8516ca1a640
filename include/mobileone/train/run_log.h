#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/train/event_file.h"
#include "mobileone/util/append_file.h"

namespace mobileone {

/// What a run writes down as it goes: metrics.csv (a header and a row per epoch), TensorBoard
/// events and, on request, log.jsonl (a JSON object a line). The lengths of these files belong to a
/// checkpoint: a run that goes on from it cuts them back to where they were, so that no line is
/// missing or there twice.
class RunLog {
 public:
  using Lengths = std::map<std::string, int64_t>;

  /// Of files that a checkpoint knows to have `lengths`, how much is there. Throws Error naming one
  /// that is gone or shorter, unless `accept_changes`: it is then as long as its whole lines are.
  static Lengths lengths_there(const std::filesystem::path& dir, Lengths lengths,
                               bool accept_changes);

  /// Goes on after `step` optimizer steps with files of `lengths` bytes (by name; none: from
  /// nothing). Throws Error if a file is shorter than that or cannot be written.
  RunLog(const std::filesystem::path& dir, const Lengths& lengths, int64_t step, bool json);

  /// A line of the log in mid-epoch.
  void add_step(int64_t epoch, int64_t step, const Metrics& metrics);
  /// The row of an epoch. metrics.csv keeps the columns of its first row, whichever version of this
  /// program wrote it.
  void add_epoch(int64_t step, const Metrics& row);

  /// Makes all of it last, and says how much it is.
  Lengths sync();

 private:
  Lengths earlier_events_;  // cut before this session's file is made
  AppendFile metrics_;
  std::vector<std::string> columns_;  // of metrics.csv
  EventFile events_;
  std::optional<AppendFile> json_;
};

}  // namespace mobileone
