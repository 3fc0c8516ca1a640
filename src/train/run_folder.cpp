#include "mobileone/train/run_folder.h"

#include <cstdio>
#include <limits>
#include <map>
#include <system_error>
#include <vector>

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

/// What there is, the newest first and the best last.
std::vector<fs::path> checkpoints_in(const fs::path& dir) {
  std::map<int64_t, fs::path> by_age;
  std::error_code not_there;
  for (const auto& entry : fs::directory_iterator(dir, not_there)) {
    const std::string name = entry.path().filename().string();
    int age = 0, length = 0;
    if (name == "last.pth") {
      by_age[0] = entry.path();
    } else if (name == "best.pth") {
      by_age[std::numeric_limits<int64_t>::max()] = entry.path();
    } else if (std::sscanf(name.c_str(), "last-%d.pth%n", &age, &length) == 1 &&
               length == static_cast<int>(name.size())) {
      by_age[age] = entry.path();
    }
  }
  std::vector<fs::path> paths;
  for (const auto& [age, path] : by_age) paths.push_back(path);
  return paths;
}

}  // namespace

bool has_run(const fs::path& dir) { return fs::exists(dir / "config.yaml"); }

bool has_checkpoint(const fs::path& dir) { return !checkpoints_in(dir).empty(); }

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
  for (const auto& entry : fs::directory_iterator(dir_)) {
    if (is_leftover(entry.path())) fs::remove(entry.path());
  }
  fs::remove(next());
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
