#pragma once

#include <cstdint>
#include <vector>

#include "mobileone/data/loader.h"

namespace mobileone {

/// How fast images come, when nothing else is done with them.
struct LoadingSpeed {
  double images_per_second = 0;           ///< median of the rounds
  double images_per_second_per_core = 0;  ///< by the processor time of all threads
  std::vector<Profile::Entry> parts;      ///< of the workers' time, of all rounds
  int64_t images = 0;                     ///< in all rounds
};

/// Reads `list`, as often as it takes, as one epoch of a loader: some batches to warm up, then
/// `rounds` rounds of at least `images` images and four times what a loader holds ready. Throws
/// Error as the loader does.
LoadingSpeed measure_loading(const ImageList& list, LoaderOptions options,
                             const Transform& transform, int64_t images, int64_t rounds);

}  // namespace mobileone
