#include "mobileone/train/run_folder.h"

#include <system_error>

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

}  // namespace

bool has_run(const fs::path& dir) { return fs::exists(dir / "config.yaml"); }

bool has_checkpoint(const fs::path& dir) {
  return fs::exists(dir / "last.pth") || fs::exists(dir / "last-1.pth");
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
  for (const auto& entry : fs::directory_iterator(dir_)) {
    if (is_leftover(entry.path())) fs::remove(entry.path());
  }
  fs::remove(next());
}

fs::path RunFolder::earlier(int64_t age) const {
  return age == 0 ? last() : dir_ / fmt::format("last-{}.pth", age);
}

Checkpoint RunFolder::load_last() const {
  try {
    return load_training_checkpoint(last());
  } catch (const Error& error) {
    std::string advice = "no older checkpoint is whole";
    for (int64_t age = 1; fs::exists(earlier(age)); ++age) {
      try {
        const int64_t step = load_training_checkpoint(earlier(age)).training->step;
        advice = fmt::format("the one before, of step {}, is whole: go on with --resume-from {}",
                             step, earlier(age).string());
        break;
      } catch (const Error&) {
        continue;
      }
    }
    throw Error("{}; {}", error.what(), advice);
  }
}

void RunFolder::save(const Checkpoint& checkpoint, bool is_best, int64_t keep) {
  lock_.require_held();
  save_checkpoint(next(), checkpoint);
  if (is_best) link_whole(next(), best());
  for (int64_t age = keep - 1; age > 1; --age) {
    if (fs::exists(earlier(age - 1))) rename_whole(earlier(age - 1), earlier(age));
  }
  if (keep > 1 && fs::exists(last())) link_whole(last(), earlier(1));
  for (int64_t age = keep; fs::remove(earlier(age)); ++age) continue;
  rename_whole(next(), last());
}

}  // namespace mobileone
