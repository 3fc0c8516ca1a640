#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "mobileone/util/descriptor.h"

namespace mobileone {

/// What compressed shards hold, one after the other in a file that has no name, so that it goes
/// with this process however that ends. Compressed bytes can only be read from front to back.
class UnpackedShards {
 public:
  struct Range {
    uint64_t begin, end;
  };

  /// Unpacks a shard (gzip). Throws Error if it is damaged, or where there is no room for it. May
  /// be called by several threads.
  Range add(const std::string& path);

  /// The file; of what was added.
  std::shared_ptr<const Descriptor> file() const { return file_; }

 private:
  std::mutex mutex_;  // guards what follows
  std::shared_ptr<const Descriptor> file_;
  uint64_t end_ = 0;
};

/// Whether a shard is compressed, by its name: ".gz" or ".tgz".
bool is_compressed(const std::string& path);

}  // namespace mobileone
