#pragma once

#include <filesystem>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/config/config.h"
#include "mobileone/data/image_list.h"

namespace mobileone {

/// What a session of a run computes from.
struct Session {
  const Config& config;  ///< resolved
  const ImageList& train;
  const DataState& data;
  const ImageList* val;  ///< null: none
  int64_t step;          ///< optimizer steps done before
};

/// Appends to the list in `path` (environment.json) when, where and from what a session of the run
/// starts: program and its git revision, LibTorch, machine, threads, fingerprints of configuration
/// and data. Throws Error if the file is no such list, and leaves it.
void record_session(const std::filesystem::path& path, const Session& session);

/// Whether `path` is such a list. A run makes it before all its other files, so that it tells that
/// the folder is a run's.
bool records_sessions(const std::filesystem::path& path);

}  // namespace mobileone
