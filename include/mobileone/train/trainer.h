#pragma once

#include <filesystem>

#include "mobileone/config/config.h"

namespace mobileone {

/// Where a run begins.
struct TrainingStart {
  bool resume = false;         ///< from the newest checkpoint in the run's folder
  std::filesystem::path from;  ///< from this checkpoint; empty: see `resume`

  bool resumes() const { return resume || !from.empty(); }
};

/// Trains the network that `config` describes and leaves in config.output.dir: config.yaml (as
/// resolved), classes.txt, environment.json, the files of RunLog, last.pth (after every epoch,
/// every checkpoints.every_minutes, on SIGUSR1 and on the way out after SIGINT or SIGTERM) and
/// best.pth (whenever validation top-1, of the moving average where there is one, is the best so
/// far; the newest where there is no validation set). On a CPU a resumed run gives the same bytes
/// as one that was never stopped.
///
/// Returns 0 at the end of the schedule, or the signal that stopped it before. Throws Error for
/// what the user can mend: data, configuration, a folder that already holds a run or is in use,
/// files that cannot be written, losses that are not finite.
int train(Config config, const TrainingStart& start);

}  // namespace mobileone
