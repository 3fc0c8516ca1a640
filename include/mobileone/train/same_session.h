#pragma once

#include "mobileone/config/config.h"
#include "mobileone/dist/workers.h"
#include "mobileone/train/training_data.h"

namespace mobileone {

/// Throws Error, in every process, where processes run other programs than rank 0, train by another
/// configuration (paths and what suits a machine aside) or on other images, and says which and in
/// what.
void require_same_session(const Config& config, const TrainingData& data, const Workers& workers);

}  // namespace mobileone
