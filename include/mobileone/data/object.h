#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mobileone/util/box.h"

namespace mobileone {

/// Where COCO's small objects end, and its large ones begin, px².
inline constexpr double kSmallArea = 32 * 32, kLargeArea = 96 * 96;

/// An object in a picture, or a crowd of them.
struct Object {
  Box box;
  int32_t label = 0;       ///< its class
  double area = 0;         ///< px², of its segmentation where that is known, else of its box
  bool crowd = false;      ///< COCO: one annotation for many objects; not learnt
  bool difficult = false;  ///< Pascal VOC: neither learnt nor judged

  bool is_learnt() const { return !crowd && !difficult; }
  bool operator==(const Object&) const = default;
};

/// What a network takes for an object.
struct Detection {
  Box box;
  int32_t label = 0;  ///< the class
  double score = 0;   ///< how sure it is, the higher the surer

  bool operator==(const Detection&) const = default;
};

/// The objects of a set of images.
struct ObjectTable {
  std::vector<Object> objects;  ///< of all images, one after the other
  std::vector<int64_t> ends;    ///< of each image, where its objects end
  /// COCO's number of each image, different ones; empty: the images' positions, from 1.
  std::vector<int64_t> image_ids = {};
  /// COCO's number of each class, increasing; empty: the labels, from 1.
  std::vector<int64_t> category_ids = {};

  std::span<const Object> of(int64_t image) const {
    const int64_t begin = image == 0 ? 0 : ends[image - 1];
    return std::span(objects).subspan(begin, ends[image] - begin);
  }
  int64_t image_id(int64_t image) const { return image_ids.empty() ? image + 1 : image_ids[image]; }
  int64_t category_id(int64_t label) const {
    return category_ids.empty() ? label + 1 : category_ids[label];
  }
};

}  // namespace mobileone
