#include "fuzz.h"
#include "mobileone/data/shard_index.h"
#include "mobileone/data/tar_reader.h"

namespace mobileone::fuzz {

/// All that a shard's headers lead to lies in its file. Errors name the shard, or a file in it.
void tar(std::string_view input) {
  const MemoryFile file(input);
  const auto path = file.path();
  expect_clean(path.string(), [&] {
    const ShardIndex index = index_shard(TarReader(path), path.string(), Samples::kEither);
    int64_t objects = 0;
    for (const auto& image : index.images) {
      if (image.label >= std::ssize(index.labels.labels()) || image.offset > input.size() ||
          image.size > input.size() - image.offset || image.mask_offset > input.size() ||
          image.mask_size > input.size() - image.mask_offset)
        std::abort();
      objects += std::max(0, image.objects);
    }
    for (const Object& object : index.objects) {
      if (object.label < 0 || object.label >= std::ssize(index.object_names.labels())) std::abort();
    }
    if (objects != std::ssize(index.objects)) std::abort();
    const int64_t images = std::ssize(index.images);
    if (index.names.size() != images || index.mask_names.size() != images) std::abort();
  });
}

}  // namespace mobileone::fuzz
