#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mobileone/data/annotation.h"
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
    bool exif_orientation = false;  ///< turn JPEGs upright as their EXIF says
    /// Of each channel in [0, 1]: three of RGB, or one of grey, to which images are then converted
    /// as by Pillow's `convert("L")` once they are decoded.
    std::vector<double> mean = {0, 0, 0};
    std::vector<double> std = {1, 1, 1};
    /// Annotations stay as they are stored, whatever becomes of the image.
    bool original_annotations = false;
  };
  explicit ImagePipeline(const Options& options);

  /// Decodes what the transform's cut needs. Throws Error naming `name` if `stored` is no image, a
  /// truncated, damaged or too large one, or its mask has another size. Of `stored`, only mapped
  /// memory is still needed then.
  void decode(const StoredImage& stored, const std::string& name, const Transform& transform,
              Random& random, Annotation annotation = {});

  /// Rows and columns that the decoded image will have.
  int64_t height() const { return cut_.window.height; }
  int64_t width() const { return cut_.window.width; }
  /// 3, or 1 of grey.
  int64_t channels() const { return std::ssize(levels_); }

  /// Resizes, flips, augments and normalises what was decoded; `out` is [height, width, channels],
  /// one image of a channels-last batch.
  void finish(const Transform& transform, Random& random, float* out);

  /// Of the decoded image.
  const Cut& cut() const { return cut_; }
  /// What is known of the finished image, mask and objects as they were cut and augmented.
  const Annotation& annotation() const { return annotation_; }

 private:
  void decode_file(std::string_view bytes, const std::string& name, const Transform& transform,
                   Random& random);
  /// Makes the patch grey, in memory of its own; RGB of equal levels still, which resizing and
  /// augmentation keep equal.
  void take_grey();
  /// Cuts `whole_`.
  void take_whole(const std::string& name, const Transform& transform, Random& random);
  void choose_cut(int64_t height, int64_t width, const std::string& name,
                  const Transform& transform, Random& random);
  /// What libjpeg decodes to cut it, in eighths of its size.
  int eighths(const Cut& cut) const;

  Options options_;
  LevelTable levels_;
  Annotation annotation_;
  Cut cut_{};
  Patch patch_{};
  at::Tensor whole_;             ///< what the patch is of, or
  std::vector<uint8_t> memory_;  ///< this is
  std::vector<uint8_t> grey_;    ///< or, of a grey image, this
  Resizer resizer_;
};

}  // namespace mobileone
