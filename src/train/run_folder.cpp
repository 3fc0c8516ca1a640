#include "mobileone/train/run_folder.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <set>
#include <string_view>
#include <system_error>
#include <vector>

#include "mobileone/config/reader.h"
#include "mobileone/config/writer.h"
#include "mobileone/train/environment.h"
#include "mobileone/train/event_file.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

fs::path made(const fs::path& dir) {
  std::error_code error;
  fs::create_directories(dir, error);
  if (error) throw Error("{}: the run's folder cannot be made: {}", dir.string(), error.message());
  return dir;
}

/// The number in a name such as "last-1.pth"; -1 if it is no such name.
int64_t numbered(const std::string& name, std::string_view before, std::string_view after) {
  int64_t number = -1;
  if (!name.starts_with(before) || !name.ends_with(after)) return number;
  const char* end = name.data() + name.size() - after.size();
  const auto [stop, error] = std::from_chars(name.data() + before.size(), end, number);
  return error == std::errc() && stop == end ? number : -1;
}

/// How old a checkpoint is by its name: 0 is the newest, the best counts as the oldest. -1 if it is
/// no checkpoint's.
int64_t age_of(const std::string& name) {
  if (name == "last.pth") return 0;
  if (name == "best.pth") return std::numeric_limits<int64_t>::max();
  return numbered(name, "last-", ".pth");
}

/// What there is, the newest first and the best last.
std::vector<fs::path> checkpoints_in(const fs::path& dir) {
  std::map<int64_t, fs::path> by_age;
  std::error_code not_there;
  for (const auto& entry : fs::directory_iterator(dir, not_there)) {
    const int64_t age = age_of(entry.path().filename().string());
    if (age >= 0) by_age[age] = entry.path();
  }
  std::vector<fs::path> paths;
  for (const auto& [age, path] : by_age) paths.push_back(path);
  return paths;
}

/// Epochs that a run without checkpoints can have left: it was killed before its first was saved.
constexpr int64_t kUnsavedEpochs = 1;

int64_t epochs_in(const fs::path& metrics) {
  std::error_code error;
  if (!fs::exists(metrics, error)) return 0;
  const std::string text = read_file(metrics);
  return std::max<int64_t>(0, std::count(text.begin(), text.end(), '\n') - 1);
}

}  // namespace

bool is_run_file(const fs::path& path) {
  static const std::set<std::string, std::less<>> kNames = {
      "config.yaml", "classes.txt", "environment.json", "metrics.csv", "log.jsonl", "next.pth"};
  const std::string name = path.filename().string();
  return kNames.contains(name) || age_of(name) >= 0 || numbered(name, "nonfinite-", ".txt") >= 0;
}

std::vector<fs::path> files_of_runs(const std::vector<fs::path>& paths) {
  std::vector<fs::path> files;
  for (const fs::path& path : paths) {
    std::error_code no_folder;
    if (!fs::is_directory(path, no_folder)) files.push_back(path);
    for (const auto& entry : fs::directory_iterator(path, no_folder)) {
      if (is_run_file(entry.path())) files.push_back(entry.path());
    }
  }
  return files;
}

bool has_run(const fs::path& dir) {
  return has_checkpoint(dir) || records_sessions(dir / "environment.json");
}

bool has_checkpoint(const fs::path& dir) { return !checkpoints_in(dir).empty(); }

void require_room_for_run(const fs::path& dir) {
  const auto checkpoints = checkpoints_in(dir);
  if (!checkpoints.empty()) {
    throw Error("{}: already holds a run ({}); go on with --resume, or choose another output.dir",
                dir.string(), checkpoints.front().filename().string());
  }
  if (has_run(dir)) {
    const int64_t epochs = epochs_in(dir / "metrics.csv");
    if (epochs <= kUnsavedEpochs) return;
    throw Error(
        "{}: holds {} epochs of a run whose checkpoints are gone; a new run would overwrite it, "
        "choose another output.dir or move it away",
        (dir / "metrics.csv").string(), epochs);
  }
  std::error_code not_there;
  for (const auto& entry : fs::directory_iterator(dir, not_there)) {
    if (!is_run_file(entry.path())) continue;
    throw Error(
        "{}: is there already, and nothing tells that a run wrote it, which would overwrite it; "
        "choose another output.dir, or move it away",
        entry.path().string());
  }
}

Config load_run_config(const fs::path& file_or_folder, const std::vector<std::string>& overrides) {
  std::error_code error;
  if (!fs::is_directory(file_or_folder, error)) return load_config(file_or_folder, overrides);
  const fs::path file = file_or_folder / "config.yaml";
  if (!has_run(file_or_folder) || !fs::exists(file, error)) {
    throw Error("{}: is a folder, and none of a run with its config.yaml; name a configuration",
                file_or_folder.string());
  }
  std::vector<std::string> all = {"output.dir=" + file_or_folder.string()};
  all.insert(all.end(), overrides.begin(), overrides.end());
  return load_config(file, all);
}

Checkpoint load_training_checkpoint(const fs::path& path) {
  Checkpoint checkpoint = load_checkpoint(path);
  if (!checkpoint.training) {
    throw Error(
        "{}: holds no training state to go on from (it was folded, or saved by a version before "
        "mid-epoch checkpoints); it can be evaluated, folded and exported",
        path.string());
  }
  return checkpoint;
}

RunFolder::RunFolder(const fs::path& dir) : dir_(dir), lock_(made(dir)) {
  if (!records_sessions(dir / "environment.json")) return;  // what lies there may not be ours
  for (const auto& entry : fs::directory_iterator(dir_)) {
    const fs::path whole = leftover_of(entry.path());
    if (is_run_file(whole) || is_event_file(whole)) fs::remove(entry.path());
  }
  // A run that was killed in its first save may have its best checkpoint and no last one.
  if (fs::exists(next()) && fs::exists(best()) && !fs::exists(last())) {
    rename_whole(next(), last());
  }
  fs::remove(next());
}

void RunFolder::keep_config(const Config& config) const {
  const fs::path path = dir_ / "config.yaml";
  const auto says_the_same = [&] {
    try {
      return load_config(path) == config;
    } catch (const Error&) {
      return false;
    }
  };
  if (!says_the_same()) write_whole(path, to_yaml(config));
}

/// Makes room for a newer last.pth. One that is last-1.pth already, where a run was killed between
/// these steps, is not counted twice.
void RunFolder::rotate(int64_t keep) {
  std::error_code not_there;
  if (keep < 2 || !fs::exists(last()) || fs::equivalent(last(), earlier(1), not_there)) return;
  for (int64_t age = keep - 1; age > 1; --age) {
    if (fs::exists(earlier(age - 1))) rename_whole(earlier(age - 1), earlier(age));
  }
  link_whole(last(), earlier(1));
}

fs::path RunFolder::earlier(int64_t age) const { return dir_ / fmt::format("last-{}.pth", age); }

Checkpoint RunFolder::load_last() const {
  try {
    return load_training_checkpoint(last());
  } catch (const Error& error) {
    for (const fs::path& path : checkpoints_in(dir_)) {
      int64_t step = 0;
      try {
        step = load_training_checkpoint(path).training->step;
      } catch (const Error&) {
        continue;
      }
      throw Error("{}; {}, of step {}, is whole: go on with --resume-from {}", error.what(),
                  path.filename().string(), step, path.string());
    }
    throw Error("{}; no older checkpoint is whole", error.what());
  }
}

void RunFolder::go_back_to(const fs::path& checkpoint) {
  std::error_code error;
  const fs::path folder = checkpoint.has_parent_path() ? checkpoint.parent_path() : fs::path(".");
  if (!fs::equivalent(folder, dir_, error)) {
    throw Error("{}: is not in {}, the folder of the run; name one of its own checkpoints",
                checkpoint.string(), dir_.string());
  }
  if (fs::equivalent(checkpoint, last(), error)) return;
  for (const fs::path& path : checkpoints_in(dir_)) {
    if (fs::equivalent(path, checkpoint)) break;
    if (path != last() && path != best()) fs::remove(path);
  }
  link_whole(checkpoint, last());
}

void RunFolder::save(const Checkpoint& checkpoint, bool is_best, int64_t keep) {
  lock_.require_held();
  save_checkpoint(next(), checkpoint);
  if (is_best) link_whole(next(), best());
  rotate(keep);
  for (int64_t age = keep; fs::remove(earlier(age)); ++age) continue;
  rename_whole(next(), last());
}

}  // namespace mobileone
