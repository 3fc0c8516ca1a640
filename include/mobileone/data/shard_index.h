#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mobileone/data/labels.h"
#include "mobileone/data/left_out.h"
#include "mobileone/data/object.h"
#include "mobileone/data/tar_reader.h"
#include "mobileone/util/name_table.h"

namespace mobileone {

/// What is asked of the samples of a set.
enum class Samples {
  kLabelled,  ///< a label each; masks and boxes are passed over
  kMasked,    ///< a mask each; what else there is is passed over, labels are -1
  kBoxed,     ///< likewise an annotation with boxes each
  kEither,    ///< masks or boxes where samples have those and no labels
};

struct ImageInShard {
  uint64_t offset;
  uint32_t size;
  int32_t label;       ///< its number in `labels`; -1 if it has none
  uint32_t mask_size;  ///< 0 if it has no mask
  uint64_t mask_offset;
  int32_t objects;  ///< their number; -1 if it has no annotation with boxes
};

/// What the headers of one shard, and its labels, say.
struct ShardIndex {
  uint64_t size = 0;     ///< of the file
  int64_t modified = 0;  ///< last, in ns
  std::vector<ImageInShard> images;
  NameTable names, mask_names;  ///< of each image and its mask, which may be empty
  LabelTable labels;
  std::vector<Object> objects;  ///< of all images; their labels are numbers in `object_names`
  LabelTable object_names{LabelKind::kNames};
  std::string first_unlabelled, first_unmasked,
      first_unboxed;  ///< the sample; empty if there is none
  LeftOut left_out;
};

/// Reads the headers and labels of a tar archive in the layout of tar_shards.h, and annotations
/// with boxes where these are asked for; `path` stands for it in messages. Throws Error.
ShardIndex index_shard(TarReader reader, const std::string& path,
                       Samples samples = Samples::kLabelled);

}  // namespace mobileone
