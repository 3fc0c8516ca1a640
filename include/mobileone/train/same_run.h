#pragma once

#include <string>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/config/config.h"
#include "mobileone/data/image_list.h"

namespace mobileone {

/// What tells a run's images from others.
DataState data_state(const ImageList& train, const ImageList* val);

/// Throws Error unless `config` and the images that `data` tells of go on with the run that
/// `checkpoint`, read from `origin`, is of. What would make it another experiment (learning rates,
/// augmentation, the validation set, images replaced under their names, ...) is refused unless
/// `accept_changes`. Names every key that differs in one line. More epochs are no other experiment:
/// the schedule is that of their number from there on.
void require_same_run(const Checkpoint& checkpoint, const Config& config, const DataState& data,
                      const std::string& origin, bool accept_changes);

}  // namespace mobileone
