#pragma once

#include <string>
#include <vector>

#include "mobileone/data/coco.h"

namespace mobileone {

/// The classes of masks that are made of annotations.
struct MaskClasses {
  std::vector<std::string> names;  ///< by class; 0 is the background
  /// By index of a category: its class, kIgnored, or -1: as if it were not annotated.
  std::vector<int> of_category;
};

/// The classes that `choice` gives a file's categories:
/// - "voc": Pascal VOC's 20, for those that are called as in COCO or as in VOC;
/// - "all": one for each, by id, from 1 on; a category that is called `background` has 0;
/// - a text file: those that its lines name. `name = class` gives 1 to 254, and the same to several
///   if need be, or 0 for background, or 255 for pixels to be ignored; a name alone has the class
///   that follows the line before, the first has 1. A line `background` changes nothing.
/// Throws Error naming the file and line, if classes are left out or too many, and if no category
/// has one.
MaskClasses mask_classes(const std::string& choice, const CocoAnnotations& coco);

}  // namespace mobileone
