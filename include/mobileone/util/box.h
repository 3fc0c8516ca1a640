#pragma once

#include <algorithm>

namespace mobileone {

/// A rectangle in pixels, from a picture's left and top edges (the first pixel is from 0 to 1).
struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;

  double width() const { return right - left; }
  double height() const { return bottom - top; }
  double area() const { return width() * height(); }
  double center_x() const { return (left + right) / 2; }
  double center_y() const { return (top + bottom) / 2; }

  bool operator==(const Box&) const = default;
};

/// Whether a box's centre lies inside of another one.
inline bool holds_center(const Box& outer, const Box& box) {
  const double x = box.center_x(), y = box.center_y();
  return x > outer.left && x < outer.right && y > outer.top && y < outer.bottom;
}

/// Whether a box goes out of a picture of `width` x `height` by more than what coordinates lose
/// that are rounded.
inline bool reaches_out(const Box& box, double width, double height) {
  constexpr double kSlack = 0.01;  // px
  return box.left < -kSlack || box.top < -kSlack || box.right > width + kSlack ||
         box.bottom > height + kSlack;
}

/// px² that two boxes share.
inline double intersection(const Box& a, const Box& b) {
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  return width > 0 && height > 0 ? width * height : 0;
}

/// Intersection over union (Jaccard index), 0 to 1; 0 where both are empty.
inline double iou(const Box& a, const Box& b) {
  const double both = intersection(a, b), either = a.area() + b.area() - both;
  return either > 0 ? both / either : 0;
}

}  // namespace mobileone
