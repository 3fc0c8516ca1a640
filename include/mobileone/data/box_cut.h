#pragma once

#include <vector>

#include "mobileone/data/cut.h"
#include "mobileone/data/object.h"

namespace mobileone {

/// Where a box of the picture lies in the cut's window, in its pixels; may reach out of it. What
/// the window shows of the picture moves exactly so (no rounding).
Box cut_box(const Cut& cut, const Box& box);

/// The inverse: a box of the window in the picture's pixels.
Box uncut_box(const Cut& cut, const Box& box);

/// The same rectangle.
Box to_box(const CropBox& crop);

/// The part of a box within another one; empty (of no width or height) where it lies outside.
Box clipped(const Box& box, const Box& within);
/// Within [0, width] x [0, height].
inline Box clipped(const Box& box, double width, double height) {
  return clipped(box, {0, 0, width, height});
}

/// An object as it lies in the window: its box moved, its area scaled.
Object cut_object(const Cut& cut, Object object);

/// Objects as the cut's window shows them: moved, clipped to what it shows of the picture, their
/// areas scaled. Those whose centres it does not show are left out.
std::vector<Object> cut_objects(const Cut& cut, const std::vector<Object>& objects);

}  // namespace mobileone
