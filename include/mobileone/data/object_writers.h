#pragma once

#include <cstdint>
#include <string>

#include "mobileone/config/config.h"
#include "mobileone/data/image_list.h"

namespace mobileone {

struct ObjectFilesOptions {
  std::string output;  ///< folder to make
  DataFormat format = DataFormat::kCoco;
  int64_t threads = 1;
};

struct ObjectFilesSummary {
  int64_t images = 0, objects = 0;
};

/// Writes a set of images with objects as COCO, Pascal VOC or YOLO have them, so that
/// `read_object_list` reads it:
/// - COCO: `images` and `annotations/instances_images.json`;
/// - VOC: `JPEGImages`, `Annotations` and the list `ImageSets/Main/all.txt`;
/// - YOLO: `images` and `labels`;
/// and classes.txt, the names of classes. Images are hard links where they are files of the same
/// file system, else copies. Boxes are read back within 1e-9 px. What a format cannot say is
/// counted in a warning: COCO has no difficult objects (they are written with `"ignore": 1`, which
/// some programs honour), VOC no crowds (which become difficult) and no areas, YOLO neither crowds
/// nor difficult objects, which are left out, nor boxes outside their images, which are clipped.
/// The folder appears when it is whole. Throws Error where two images would have the same name, an
/// image is no image file that can be read, or the folder is there already.
ObjectFilesSummary write_object_files(const ImageList& list, const ObjectFilesOptions& options);

}  // namespace mobileone
