#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mobileone/data/image.h"
#include "mobileone/data/object.h"

namespace mobileone {

/// Reads YOLO's text of the objects in an image of this size: a line each, the number of its class,
/// from 0, and its box's centre x and y, width and height in shares of the image's; or x and y of
/// three or more vertices of a polygon, whose box then counts. The number is below `classes`; 0:
/// any number. Throws Error with `name`, the line and what was expected.
std::vector<Object> parse_yolo_text(const std::string& text, const std::string& name,
                                    const ImageSize& size, int64_t classes);

}  // namespace mobileone
