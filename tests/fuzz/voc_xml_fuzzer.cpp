#include <cmath>

#include "fuzz.h"
#include "mobileone/data/voc_xml.h"

namespace mobileone::fuzz {

/// Whatever the file holds, boxes are of finite numbers in order, and objects have names.
void voc_xml(std::string_view input) {
  expect_clean("voc: ", [&] {
    for (const VocObject& object : parse_voc_xml(input, "voc").objects) {
      const Box& box = object.box;
      const bool is_sound = box.width() >= 0 && box.height() >= 0 && std::isfinite(box.area());
      if (!is_sound || object.name.empty()) std::abort();
    }
  });
}

}  // namespace mobileone::fuzz
