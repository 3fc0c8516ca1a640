#pragma once

#include <filesystem>

#include "mobileone/config/config.h"
#include "mobileone/data/image_list.h"

namespace mobileone {

/// What a session of a run computes from.
struct Session {
  const Config& config;  ///< resolved
  const ImageList& train;
  const std::string& train_fingerprint;
  const ImageList* val;  ///< null: none
  int64_t step;          ///< optimizer steps done before
};

/// Appends to the list in `path` (environment.json) when, where and from what a session of the run
/// starts: program and its git revision, LibTorch, machine, threads, fingerprints of configuration
/// and data. A file that is no such list is replaced.
void record_session(const std::filesystem::path& path, const Session& session);

}  // namespace mobileone
