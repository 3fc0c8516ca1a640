#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "mobileone/data/rle.h"

namespace mobileone {

/// The pixels of an object: polygons, none where only its box is known, or runs, of its image's
/// size.
using CocoShape = std::variant<std::vector<Polygon>, Rle>;

/// An object in an image, or a crowd of them.
struct CocoObject {
  int64_t id = 0;                  ///< different for each of a file
  int64_t category = 0;            ///< index in `CocoAnnotations::categories`
  std::array<double, 4> box = {};  ///< left, top, width and height, px; may reach out of the image
  double area = 0;                 ///< px, of its segmentation; of its box where the file has none
  bool is_crowd = false;           ///< one annotation for many objects
  CocoShape segmentation = {};
};

struct CocoImage {
  int64_t id = 0;
  std::string file_name = {};
  int64_t height = 0, width = 0;         ///< px
  std::vector<CocoObject> objects = {};  ///< in the file's order
};

struct CocoCategory {
  int64_t id = 0;
  std::string name = {};
};

/// What a file such as COCO's instances_train2017.json says of images.
struct CocoAnnotations {
  std::string path;                      ///< of the file, for messages
  std::vector<CocoImage> images;         ///< in the file's order
  std::vector<CocoCategory> categories;  ///< by id, which may leave out numbers
};

/// Whether polygons and runs are kept, which take most of the memory.
enum class CocoParts { kAll, kBoxes };

/// Reads such a file, whose sections may stand in any order; what else it holds is passed over. Ids
/// are different in each section, names of categories and files too; an annotation without `area`
/// has its box's, one without `iscrowd` is no crowd. Images are at most 65,535 px wide and high and
/// no larger than are read; boxes and vertices at most `kMostCoordinate` away from them; a polygon
/// has at least three vertices, and the runs' lengths have the image's pixels as their sum. Memory
/// is taken for what is kept, 8 bytes a coordinate, and for one annotation at a time beside it.
/// Throws Error in one line with the file, the annotation's id and what was expected.
CocoAnnotations read_coco(const std::string& path, CocoParts parts = CocoParts::kAll);

/// The pixels of an object in its image; none where its segmentation has no polygons. Throws Error
/// naming `name`.
Rle object_rle(const CocoObject& object, const CocoImage& image, const std::string& name);

}  // namespace mobileone
