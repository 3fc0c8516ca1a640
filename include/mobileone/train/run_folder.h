#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/config/config.h"
#include "mobileone/util/folder_lock.h"

namespace mobileone {

/// A run's folder, held by one process, and the checkpoints in it: last.pth, before it last-1.pth,
/// last-2.pth and so on, and best.pth.
class RunFolder {
 public:
  /// Makes the folder if need be, locks it and clears away what a killed run left half written.
  /// Throws Error if another run has it or it cannot be written.
  explicit RunFolder(const std::filesystem::path& dir);

  const std::filesystem::path& dir() const { return dir_; }
  std::filesystem::path last() const { return dir_ / "last.pth"; }
  std::filesystem::path best() const { return dir_ / "best.pth"; }

  /// Writes config.yaml. One that says the same already, perhaps with comments of the user's, is
  /// left as it is. Throws Error.
  void keep_config(const Config& config) const;

  /// The newest checkpoint. Throws Error that says what is wrong with it and which older one is
  /// whole.
  Checkpoint load_last() const;

  /// Goes back to a checkpoint of this folder: makes it the newest and removes those that came
  /// after it. Throws Error if it lies in another folder.
  void go_back_to(const std::filesystem::path& checkpoint);

  /// Makes `checkpoint` the newest, and the best if it is, each whole or not at all; of the newest
  /// ones `keep` are kept. Throws Error if it cannot be written; nothing is lost then.
  void save(const Checkpoint& checkpoint, bool is_best, int64_t keep);

 private:
  std::filesystem::path next() const { return dir_ / "next.pth"; }
  std::filesystem::path earlier(int64_t age) const;
  void rotate(int64_t keep);

  std::filesystem::path dir_;
  FolderLock lock_;
};

/// Whether a run keeps a file of that name in its folder (TensorBoard's event files aside).
bool is_run_file(const std::filesystem::path& path);
/// Files of such names in folders of runs, or what of `paths` is no folder: what a page of runs is
/// made from, and may not take the place of.
std::vector<std::filesystem::path> files_of_runs(const std::vector<std::filesystem::path>& paths);
/// Whether a run began in `dir`, if only to be killed before its first checkpoint.
bool has_run(const std::filesystem::path& dir);
/// Whether there is a checkpoint in `dir`.
bool has_checkpoint(const std::filesystem::path& dir);

/// Throws Error naming the file in `dir` that a new run would overwrite: a checkpoint, logs of more
/// than an epoch, or anything that no run wrote.
void require_room_for_run(const std::filesystem::path& dir);

/// The configuration in a YAML file, or of the run in a folder, whose output.dir it then is,
/// changed by `overrides` (see `load_config`). Throws Error.
Config load_run_config(const std::filesystem::path& file_or_folder,
                       const std::vector<std::string>& overrides);

/// Reads a checkpoint that training can go on from. Throws Error if the file holds no training
/// state, or that of a version which cannot be gone on from.
Checkpoint load_training_checkpoint(const std::filesystem::path& path);

}  // namespace mobileone
