#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mobileone/data/image_storage.h"
#include "mobileone/data/resize.h"
#include "mobileone/data/transforms.h"
#include "mobileone/util/random.h"

namespace mobileone {

/// How much of a file is decoded.
enum class Decoding {
  kWhole,    ///< all of it, so that damage anywhere is noticed
  kCropped,  ///< of a JPEG the cut's box alone; the pixels are the same
  kScaled,   ///< likewise, at the smallest scale that keeps the box as large as it is resized to
};

/// From encoded images to a network's input, one after the other; keeps its memory from one to the
/// next. Used by one thread.
class ImagePipeline {
 public:
  struct Options {
    Decoding decoding = Decoding::kWhole;
    bool exif_orientation = false;           ///< turn JPEGs upright as their EXIF says
    std::array<double, 3> mean = {0, 0, 0};  ///< of channels in [0, 1]
    std::array<double, 3> std = {1, 1, 1};
  };
  explicit ImagePipeline(const Options& options);

  /// Decodes what the transform's cut needs. Throws Error naming `name` if `stored` is no image, a
  /// truncated, damaged or too large one. Of `stored`, only mapped memory is still needed then.
  void decode(const StoredImage& stored, const std::string& name, const Transform& transform,
              Random& random);

  /// Rows and columns that the decoded image will have.
  int64_t height() const { return cut_.window.height; }
  int64_t width() const { return cut_.window.width; }

  /// Resizes, flips, augments and normalises what was decoded; `out` is [height, width, 3], one
  /// image of a channels-last batch.
  void finish(const Transform& transform, Random& random, float* out);

 private:
  void decode_file(std::string_view bytes, const std::string& name, const Transform& transform,
                   Random& random);
  /// Cuts `whole_`.
  void take_whole(const Transform& transform, Random& random);
  /// What libjpeg decodes to cut it, in eighths of its size.
  int eighths(const Cut& cut) const;

  Options options_;
  LevelTable levels_;
  Cut cut_{};
  Patch patch_{};
  at::Tensor whole_;             ///< what the patch is of, or
  std::vector<uint8_t> memory_;  ///< this is
  Resizer resizer_;
};

}  // namespace mobileone
