#include "fuzz.h"
#include "mobileone/data/yolo_text.h"

namespace mobileone::fuzz {

/// Whatever the text holds, labels are classes, and boxes are near their image.
void yolo_text(std::string_view input) {
  expect_clean("yolo:", [&] {
    for (const Object& object : parse_yolo_text(std::string(input), "yolo", {640, 480}, 80)) {
      const Box& box = object.box;
      const bool is_sound = box.left >= -320 && box.right <= 960 && box.top >= -240 &&
                            box.bottom <= 720 && box.width() >= 0 && box.height() >= 0;
      if (!is_sound || object.label < 0 || object.label >= 80) std::abort();
    }
  });
}

}  // namespace mobileone::fuzz
