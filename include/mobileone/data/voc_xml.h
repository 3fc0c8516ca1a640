#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mobileone/util/box.h"

namespace mobileone {

/// An object of Pascal VOC's.
struct VocObject {
  std::string name;
  Box box;
  bool difficult = false;
};

/// What an annotation of Pascal VOC's says of an image.
struct VocAnnotation {
  std::string file_name;          ///< of the image; empty where none is said
  int64_t width = 0, height = 0;  ///< px; 0 where none is said
  std::vector<VocObject> objects;
};

/// Reads such an XML text, by pugixml. The devkit counts pixels from 1, and the last one is part of
/// a box: its left and top edges are the least less 1. Coordinates may be fractions; boxes of an
/// object's parts are passed over. Throws Error naming `name`: with the byte where this is no XML,
/// and for a document type (nothing of which is expanded), another root than `annotation`, an
/// object without a name or with a box that is no four finite numbers in order.
VocAnnotation parse_voc_xml(std::string_view bytes, const std::string& name);

}  // namespace mobileone
