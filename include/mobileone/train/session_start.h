#pragma once

#include "mobileone/config/config.h"
#include "mobileone/data/image_list.h"
#include "mobileone/dist/processes.h"

namespace mobileone {

/// Says so where the precision asked for makes training slower on this machine.
void warn_of_slow_precision(const Config& config);

/// Says what a session is about to train, on what and where, and what of it may surprise: images
/// that fill no batch, a moving average that a short run leaves behind, no validation. `val` may be
/// null.
void announce_session(const Config& config, const ImageList& train, const ImageList* val,
                      int64_t batches_per_epoch, const Processes& processes);

}  // namespace mobileone
