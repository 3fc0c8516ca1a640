#pragma once

#include <filesystem>

#include "mobileone/config/config.h"
#include "mobileone/dist/processes.h"

namespace mobileone {

/// Where a run begins.
struct TrainingStart {
  bool resume = false;          ///< from the newest checkpoint in the run's folder
  std::filesystem::path from;   ///< from this checkpoint; empty: see `resume`
  bool accept_changes = false;  ///< of settings, images and logs, as it goes on

  bool resumes() const { return resume || !from.empty(); }
};

/// Trains the network that `config` describes and leaves in config.output.dir: config.yaml (as
/// resolved), classes.txt, environment.json, the files of RunLog, last.pth (after every epoch,
/// every checkpoints.every_minutes, on SIGUSR1 and on the way out after SIGINT, SIGTERM or SIGHUP)
/// and best.pth (whenever the task's metric in validation, of the weights or of their moving
/// average, whichever is better, is the best so far; the newest where there is no validation set).
/// A network that does not compute finite numbers is never saved. On a CPU a resumed run gives the
/// same bytes as one that was never stopped.
///
/// Returns 0 at the end of the schedule, or the signal that stopped it before. Throws Error for
/// what the user can mend: data, configuration, a folder that already holds a run or is in use,
/// files that cannot be written, losses that are not finite.
///
/// With `processes` all processes train one network: schedule.batch_size images a step are those of
/// all together, rank 0 reads and writes the run's folder, and any number of processes goes on
/// from a checkpoint. Throws Error, too, where processes differ in configuration, images or
/// program, and PeerError where another one ends.
int train(const Config& config, const TrainingStart& start = {},
          const Processes& processes = Processes::none());

}  // namespace mobileone
