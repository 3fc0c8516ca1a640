#include "mobileone/data/box_cut.h"

#include <algorithm>

namespace mobileone {
namespace {

/// window = scale * picture + shift, before a flip.
struct Line {
  double scale, shift;
};

Line columns_of(const Cut& cut) {
  const double scale = static_cast<double>(cut.width) / static_cast<double>(cut.box.width);
  return {scale, -scale * static_cast<double>(cut.box.left) - static_cast<double>(cut.window.left)};
}

Line rows_of(const Cut& cut) {
  const double scale = static_cast<double>(cut.height) / static_cast<double>(cut.box.height);
  return {scale, -scale * static_cast<double>(cut.box.top) - static_cast<double>(cut.window.top)};
}

Box flipped(const Box& box, double width) {
  return {width - box.right, box.top, width - box.left, box.bottom};
}

}  // namespace

Box cut_box(const Cut& cut, const Box& box) {
  const auto [x, left] = columns_of(cut);
  const auto [y, top] = rows_of(cut);
  const Box moved{x * box.left + left, y * box.top + top, x * box.right + left,
                  y * box.bottom + top};
  return cut.flip ? flipped(moved, static_cast<double>(cut.window.width)) : moved;
}

Box uncut_box(const Cut& cut, const Box& box) {
  const auto [x, left] = columns_of(cut);
  const auto [y, top] = rows_of(cut);
  const Box own = cut.flip ? flipped(box, static_cast<double>(cut.window.width)) : box;
  return {(own.left - left) / x, (own.top - top) / y, (own.right - left) / x,
          (own.bottom - top) / y};
}

Box clipped(const Box& box, double width, double height) {
  return {std::clamp(box.left, 0.0, width), std::clamp(box.top, 0.0, height),
          std::clamp(box.right, 0.0, width), std::clamp(box.bottom, 0.0, height)};
}

Object cut_object(const Cut& cut, Object object) {
  object.box = cut_box(cut, object.box);
  object.area *= columns_of(cut).scale * rows_of(cut).scale;
  return object;
}

std::vector<Object> cut_objects(const Cut& cut, const std::vector<Object>& objects) {
  const CropBox& box = cut.box;
  const Box whole{static_cast<double>(box.left), static_cast<double>(box.top),
                  static_cast<double>(box.left + box.width),
                  static_cast<double>(box.top + box.height)};
  const Box picture = clipped(cut_box(cut, whole), static_cast<double>(cut.window.width),
                              static_cast<double>(cut.window.height));
  std::vector<Object> shown;
  for (const Object& each : objects) {
    Object object = cut_object(cut, each);
    const double x = object.box.center_x(), y = object.box.center_y();
    if (!(x > picture.left && x < picture.right && y > picture.top && y < picture.bottom)) continue;
    object.box = {std::clamp(object.box.left, picture.left, picture.right),
                  std::clamp(object.box.top, picture.top, picture.bottom),
                  std::clamp(object.box.right, picture.left, picture.right),
                  std::clamp(object.box.bottom, picture.top, picture.bottom)};
    if (object.box.area() > 0) shown.push_back(object);
  }
  return shown;
}

}  // namespace mobileone
