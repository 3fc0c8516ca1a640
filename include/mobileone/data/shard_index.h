#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mobileone/util/name_table.h"

namespace mobileone {

struct ImageInShard {
  uint64_t offset;
  uint32_t size;
  int32_t label;
};

/// What the headers of one shard, and its labels, say.
struct ShardIndex {
  uint64_t size = 0;     ///< of the file
  int64_t modified = 0;  ///< last, in ns
  std::vector<ImageInShard> images;
  NameTable names;
  int64_t without_image = 0;
  std::string first_without_image;
};

/// Reads the headers and labels of a tar archive in the layout of tar_shards.h. Throws Error.
ShardIndex index_shard(const std::string& path);

}  // namespace mobileone
