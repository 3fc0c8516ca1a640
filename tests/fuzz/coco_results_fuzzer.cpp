#include <cmath>

#include "fuzz.h"
#include "mobileone/data/coco_results.h"

namespace mobileone::fuzz {

/// Whatever the file holds, results are of known categories and of finite numbers.
void coco_results(std::string_view input) {
  const MemoryFile file(input);
  const std::string path = file.path().string();
  const CocoAnnotations annotations{
      "x", {{1, "a.jpg"}, {42, "b.jpg"}}, {{1, "person"}, {13, "stop sign"}}};
  expect_clean(path + ": ", [&] {
    for (const auto& image : read_coco_results(path, annotations)) {
      for (const CocoDetection& detection : image) {
        if (detection.category < 0 || detection.category > 1 || !std::isfinite(detection.score) ||
            !(detection.box[2] >= 0) || !(detection.box[3] >= 0)) {
          std::abort();
        }
      }
    }
  });
}

}  // namespace mobileone::fuzz
