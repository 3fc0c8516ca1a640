#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mobileone/data/labels.h"
#include "mobileone/data/left_out.h"
#include "mobileone/data/tar_reader.h"
#include "mobileone/util/name_table.h"

namespace mobileone {

struct ImageInShard {
  uint64_t offset;
  uint32_t size;
  int32_t label;       ///< its number in `labels`; -1 if it has none
  uint32_t mask_size;  ///< 0 if it has no mask
  uint64_t mask_offset;
};

/// What the headers of one shard, and its labels, say.
struct ShardIndex {
  uint64_t size = 0;     ///< of the file
  int64_t modified = 0;  ///< last, in ns
  std::vector<ImageInShard> images;
  NameTable names, mask_names;  ///< of each image and its mask, which may be empty
  LabelTable labels;
  std::string first_unlabelled, first_unmasked;  ///< the sample; empty if there is none
  LeftOut left_out;
};

/// Reads the headers and labels of a tar archive in the layout of tar_shards.h; `path` stands for
/// it in messages. Throws Error.
ShardIndex index_shard(TarReader reader, const std::string& path);

}  // namespace mobileone
