#pragma once

#include <string>
#include <vector>

#include "mobileone/data/image_list.h"

namespace mobileone {

/// Images without labels (all are 0) as someone names them, in that order. An input is
/// - a file of one image;
/// - a folder: every image below it, by extension, in ImageFolder's order;
/// - a CSV list, tar shards or a pack (image_list.h), COCO's annotations or a list of Pascal VOC's
///   (object_sets.h): the images, whatever their labels;
/// - a pattern of the shell (`*`, `?`, `[a-z]`), where no file has that name: what it matches,
///   sorted, each as above.
/// That a file is missing, or no image, is only found when it is read. Throws Error if there is no
/// input, one is "-" (frames.h), a folder holds no image, or a list, shard or pack is damaged.
ImageList read_image_inputs(const std::vector<std::string>& inputs);

/// An image that is in memory, the bytes of a file, without a label (it is 0).
ImageList one_image(std::string name, std::string bytes);

/// The paths that a file lists, or standard input if it is "-": one a line, or each ended by a NUL
/// as `find -print0` writes them. Throws Error if it cannot be read.
std::vector<std::string> read_path_list(const std::string& file);

}  // namespace mobileone
