#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>

#include "mobileone/config/field.h"
#include "mobileone/data/coco.h"
#include "mobileone/data/mask_classes.h"

namespace mobileone {

/// What a pixel is that several annotations of classes cover.
enum class MaskOverlap {
  kFirst,   ///< of the class of the first in the file, as CVNets has it
  kIgnore,  ///< ignored, as torchvision has it, even where they are of one class
};

inline constexpr auto enum_names(MaskOverlap) {
  return std::array<EnumName<MaskOverlap>, 2>{
      {{MaskOverlap::kFirst, "first"}, {MaskOverlap::kIgnore, "ignore"}}};
}

/// What the pixels of a crowd are.
enum class MaskCrowds {
  kIgnore,  ///< ignored, but for those that other annotations cover
  kClass,   ///< as those of any annotation, which is what CVNets and torchvision do
};

inline constexpr auto enum_names(MaskCrowds) {
  return std::array<EnumName<MaskCrowds>, 2>{
      {{MaskCrowds::kIgnore, "ignore"}, {MaskCrowds::kClass, "class"}}};
}

struct MaskRules {
  MaskOverlap overlap = MaskOverlap::kFirst;
  MaskCrowds crowds = MaskCrowds::kIgnore;
};

/// The classes of an image's pixels, uint8 [H,W]: 0 where no annotation of a class is, or kIgnored.
/// Throws Error naming an annotation of the file `path`.
at::Tensor coco_mask(const CocoImage& image, const MaskClasses& classes, const MaskRules& rules,
                     const std::string& path);

struct MaskFilesOptions {
  std::string images;  ///< the folder of the images
  std::string output;  ///< the folder to make
  MaskRules rules = {};
  int64_t min_pixels = 0;  ///< of classes but the background, below which an image has no mask
  int64_t threads = 2;
};

struct MaskFilesSummary {
  int64_t masks = 0, left_out = 0;  ///< images
  int64_t pixels = 0;               ///< of all masks
  int64_t of_objects = 0;           ///< pixels of a class but the background
  int64_t ignored = 0;              ///< pixels
};

/// Makes the folder `output` of a file's annotations, all of it or nothing: for each image a mask
/// of its name with the ending .png, of indices with Pascal VOC's palette; classes.txt, the names
/// of the classes; and list.txt, a line with the paths of an image and its mask for each mask.
/// Images are looked for first, and their headers compared with the sizes in the file. Throws Error
/// naming what is missing or of another size, and if `output` is there and not empty.
MaskFilesSummary write_coco_masks(const CocoAnnotations& coco, const MaskClasses& classes,
                                  const MaskFilesOptions& options);

}  // namespace mobileone
