#include "fuzz.h"
#include "mobileone/data/shard_index.h"
#include "mobileone/data/tar_reader.h"

/// All that a shard's headers lead to lies in its file.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mobileone;
  const fuzz::MemoryFile file(fuzz::text(data, size));
  const auto path = file.path();
  fuzz::expect_clean(path.string() + ": ", [&] {
    const ShardIndex index = index_shard(path.string());
    for (const auto& image : index.images) {
      if (image.label < 0 || image.offset > size || image.size > size - image.offset) std::abort();
    }
    if (index.names.size() != std::ssize(index.images)) std::abort();
  });
  return 0;
}
