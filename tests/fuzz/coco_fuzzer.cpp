#include <numeric>

#include "fuzz.h"
#include "mobileone/data/coco.h"

namespace mobileone::fuzz {

/// Whatever the file holds, the runs of an object are the pixels of its image.
void coco(std::string_view input) {
  const MemoryFile file(input);
  const std::string path = file.path().string();
  expect_clean(path + ": ", [&] {
    const CocoAnnotations annotations = read_coco(path);
    for (const CocoImage& image : annotations.images) {
      const int64_t pixels = image.height * image.width;
      if (pixels > 1 << 16) continue;  // larger ones only take longer
      for (const CocoObject& object : image.objects) {
        const Rle rle = object_rle(object, image, path);
        if (std::accumulate(rle.counts.begin(), rle.counts.end(), int64_t{0}) != pixels) {
          std::abort();
        }
        touch(rle_mask(rle));
      }
    }
  });
}

}  // namespace mobileone::fuzz
