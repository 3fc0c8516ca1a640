#pragma once

#include <string>
#include <vector>

#include "mobileone/config/config.h"
#include "mobileone/data/image_list.h"

namespace mobileone {

/// Reads the list of a set of images with boxes (docs/data.md). `path` is
/// - a folder of images, whose boxes `annotations` has, or else what is found beside it: of COCO
///   `annotations/instances_NAME.json` for a folder NAME, of Pascal VOC `Annotations` for
///   `JPEGImages`, or XML files among the images, of YOLO `labels` for `images`;
/// - a file of COCO's annotations, whose images lie in `annotations`, or in the folder NAME beside
///   its own one, or in its own;
/// - a list of names of Pascal VOC's, `ImageSets/Main/train.txt`;
/// - tar shards, of Pascal VOC's annotations beside the images, or a pack, with boxes.
/// `data.format` says which of these it is; `auto`: found by looking. Boxes are as the annotations
/// have them: they may reach out of the images, or be empty, which is counted in a warning. Images
/// without objects are part of the set. Throws Error for annotations that are wrong, with file,
/// place and what was expected, and where nothing is found.
ImageList read_object_list(const std::string& path, const std::string& annotations,
                           const DataConfig& data);

/// Whether a path is likely to be of images with boxes: COCO's file, a list in ImageSets/Main, or a
/// folder beside which there are boxes of this format.
bool names_object_set(const std::string& path, DataFormat format = DataFormat::kAuto);

/// The list with its objects' labels made those of `names`, of which it may have a part. Throws
/// Error listing the classes that are not among them; `origin` says where the names come from.
ImageList match_object_classes(ImageList list, const std::vector<std::string>& names,
                               const std::string& origin);

}  // namespace mobileone
