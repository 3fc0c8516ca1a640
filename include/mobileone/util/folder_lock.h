#pragma once

#include <filesystem>

#include "mobileone/util/descriptor.h"

namespace mobileone {

/// Keeps a folder to one process: holds the file `.lock` in it, which says who has it. The system
/// lets go of it when the process ends in whatever way.
class FolderLock {
 public:
  /// Throws Error naming the holder if another process (or another FolderLock) has the folder, and
  /// if its `.lock` is not one of this program.
  explicit FolderLock(const std::filesystem::path& folder);

  /// Whether a lock of this program is in `folder`, held or left behind.
  static bool was_in(const std::filesystem::path& folder);

  /// Throws Error if the folder, or the lock in it, has been removed meanwhile.
  void require_held() const;

 private:
  std::filesystem::path folder_;
  Descriptor file_;
};

}  // namespace mobileone
