#include "mobileone/train/trainer.h"

#include <csignal>
#include <optional>
#include <utility>

#include "mobileone/optim/memory.h"
#include "mobileone/train/run_folder.h"
#include "mobileone/train/same_session.h"
#include "mobileone/train/session_start.h"
#include "mobileone/train/training_data.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"
#include "training_loop.h"

namespace mobileone {
namespace {

/// Throws Error unless a run can start there so.
void require_start(const std::string& dir, const TrainingStart& start) {
  if (!start.resumes()) return require_room_for_run(dir);
  if (has_run(dir)) return;
  throw Error("{}: holds no run to resume; start one without --resume, or check output.dir", dir);
}

/// Throws Error unless each process can have its part of every batch.
void require_parts(const Config& config, const Processes& processes) {
  const int64_t fewest = 2 * config.schedule.accumulate * processes.size();
  if (!processes.alone() && config.schedule.batch_size < fewest) {
    throw Error(
        "schedule.batch_size: {} processes, two images for each of {} part(s) of a batch, need at "
        "least {}, got {}",
        processes.size(), config.schedule.accumulate, fewest, config.schedule.batch_size);
  }
}

int train_together(Config config, const TrainingStart& start, const Processes& processes) {
  std::optional<TrainingData> data;
  std::optional<RunFolder> folder;
  processes.together([&] {
    require_parts(config, processes);
    if (processes.first()) require_start(config.output.dir, start);
    data = read_training_data(config);
    require_memory(config, processes.place());
  });
  require_same_session(config, *data, processes);
  processes.together([&] {
    if (!processes.first()) return;
    warn_of_slow_precision(config);
    folder.emplace(config.output.dir);
    require_start(config.output.dir, start);  // another run may have been faster
  });
  TrainingLoop loop(config, *std::move(data), folder ? &*folder : nullptr, processes);
  processes.together([&] {
    if (!folder) return;
    if (!start.from.empty()) {
      loop.resume(load_training_checkpoint(start.from), start.from.string(), start.accept_changes);
      folder->go_back_to(start.from);
    } else if (start.resume && has_checkpoint(folder->dir())) {
      loop.resume(folder->load_last(), folder->last().string(), start.accept_changes);
    } else {
      if (start.resume) {
        log::info("{}: was stopped before its first checkpoint; starting anew",
                  folder->dir().string());
      }
      loop.start();
    }
  });
  loop.share_state();
  return loop.run();
}

}  // namespace

int train(const Config& config, const TrainingStart& start, const Processes& processes) {
  std::signal(SIGUSR1, SIG_IGN);  // while there is nothing to save yet
  if (!processes.first()) log::only_warnings();
  int signal = 0;
  processes.run([&] { signal = train_together(config, start, processes); });
  return signal;
}

}  // namespace mobileone
