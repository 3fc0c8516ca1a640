#pragma once

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/config/config.h"

namespace mobileone {

/// Trains the network that `config` describes and leaves in config.output.dir: config.yaml (as
/// resolved), classes.txt, metrics.csv (a row per epoch), last.pth (after every epoch) and best.pth
/// (whenever validation top-1, of the moving average where there is one, is the best so far; the
/// newest where there is no validation set). With `resume` it goes on from last.pth.
///
/// Returns the last epoch's row of metrics.csv. Throws Error for what the user can mend: data,
/// configuration, a folder that already holds a run, a loss that is not finite.
Metrics train(Config config, bool resume);

}  // namespace mobileone
