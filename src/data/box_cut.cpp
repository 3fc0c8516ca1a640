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

Box to_box(const CropBox& crop) {
  return {static_cast<double>(crop.left), static_cast<double>(crop.top),
          static_cast<double>(crop.left + crop.width), static_cast<double>(crop.top + crop.height)};
}

Box clipped(const Box& box, const Box& within) {
  const auto [left, top, right, bottom] = within;
  return {std::clamp(box.left, left, right), std::clamp(box.top, top, bottom),
          std::clamp(box.right, left, right), std::clamp(box.bottom, top, bottom)};
}

Object cut_object(const Cut& cut, Object object) {
  object.box = cut_box(cut, object.box);
  object.area *= columns_of(cut).scale * rows_of(cut).scale;
  return object;
}

std::vector<Object> cut_objects(const Cut& cut, const std::vector<Object>& objects) {
  const Box picture = clipped(cut_box(cut, to_box(cut.box)), static_cast<double>(cut.window.width),
                              static_cast<double>(cut.window.height));
  std::vector<Object> shown;
  for (const Object& each : objects) {
    Object object = cut_object(cut, each);
    if (!holds_center(picture, object.box)) continue;
    object.box = clipped(object.box, picture);
    if (object.box.area() > 0) shown.push_back(object);
  }
  return shown;
}

}  // namespace mobileone
