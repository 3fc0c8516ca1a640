#pragma once

#include "mobileone/config/config.h"
#include "mobileone/dist/place.h"

namespace mobileone {

/// Bytes that a process takes as it trains, at its peak. An estimate, within some 15 % of
/// what was measured for S0 to S4 at 64 to 640 px.
struct TrainingMemory {
  double weights = 0;      ///< with gradients, momentum, average and what folding makes of them
  double activations = 0;  ///< of a part of a batch, from forward to backward pass
  double images = 0;       ///< batches that loaders hold ready
  double total() const;
};

/// What a configuration takes whose model.num_classes is resolved, of the batches' images that each
/// of `processes` has.
TrainingMemory training_memory(const Config& config, int64_t processes = 1);

/// Throws Error where this machine's processes would take more than runtime.memory_limit or,
/// without one, than the machine has. On a GPU only a limit that is set is heeded. Call it before
/// anything large is made.
void require_memory(const Config& config, const Place& place = {});

}  // namespace mobileone
