#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "mobileone/data/coco.h"
#include "mobileone/data/object.h"

namespace mobileone {

/// What was found in an image, as COCO's results have it. Not a `Detection`: that a box's right
/// edge less its left is its width is not so for all numbers, and COCO's evaluation takes the
/// width.
struct CocoDetection {
  std::array<double, 4> box = {};  ///< left, top, width and height, px
  int64_t category = 0;            ///< index, as CocoObject's
  double score = 0;

  bool operator==(const CocoDetection&) const = default;
};

/// Objects and detections as COCO's evaluation takes them; what is difficult becomes a crowd, which
/// is not judged.
std::vector<CocoObject> coco_objects(std::span<const Object> objects);
std::vector<CocoDetection> coco_detections(std::span<const Detection> found);

/// Reads a file of COCO's results, a JSON list of {image_id, category_id, bbox, score} for images
/// and categories of `annotations`: the detections of each image, in the file's order. What else a
/// result holds is passed over. Throws Error in one line with the file, the result's index from 0
/// or, where it is no JSON, the byte, and what was expected; of results for unknown images or
/// categories with their number.
std::vector<std::vector<CocoDetection>> read_coco_results(const std::string& path,
                                                          const CocoAnnotations& annotations);

/// Writes such a file, with what was found in each image of a set that has the ids of `table`.
/// Numbers are read back as the same. Throws Error naming the path.
void write_coco_results(const std::filesystem::path& path, const ObjectTable& table,
                        std::span<const std::vector<Detection>> found);

}  // namespace mobileone
