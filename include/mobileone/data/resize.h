#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <iterator>
#include <vector>

#include "mobileone/config/config.h"
#include "mobileone/data/cut.h"
#include "mobileone/kernels/resize.h"

namespace mobileone {

/// A box of a picture in someone else's memory: RGB levels, pixels side by side in a row, rows
/// `stride` bytes apart. The box may begin and end within a pixel, as that of a picture decoded at
/// a smaller scale does; it touches all `rows` and `columns`, and nothing outside them counts.
struct Patch {
  const uint8_t* pixels;
  int64_t rows;
  int64_t columns;
  int64_t stride;
  double top = 0;  ///< of the box, in pixels from the first one's upper left corner
  double left = 0;
  double height = static_cast<double>(rows);
  double width = static_cast<double>(columns);
};

/// All of a uint8 image [H,W,3] whose pixels lie side by side in each row.
Patch patch_of(const at::Tensor& image);

/// Resizes with antialiasing: every pixel of a box of whole pixels is that of Image.resize of
/// Pillow 13. (Earlier ones shrink tall images in another order of passes, which changes few
/// pixels.) Keeps its memory from one call to the next.
class Resizer {
 public:
  /// Takes the next rows of the window: uint8 [count, window.width, 3].
  using Sink = std::function<void(const uint8_t* rows, int64_t count)>;

  /// Hands over the window of `cut` from top to bottom; the patch is what the cut's box is of.
  void operator()(const Patch& patch, const Cut& cut, const Sink& sink);

 private:
  /// Where an axis of the box lies, and of its `outputs` pixels those from `first` to `last` - 1.
  struct Line {
    double begin, length;
    int64_t pixels, outputs, first, last;
    bool reversed;
  };
  /// What each output along an axis is made of: pixels counted from `begin`, up to `end` - 1.
  struct Axis {
    std::vector<int64_t> first;
    std::vector<int64_t> count;
    std::vector<int32_t> weights;
    int64_t most = 0;
    int64_t begin = 0;
    int64_t end = 0;

    kernels::Taps taps() const { return {first.data(), count.data(), weights.data(), most}; }
    int64_t outputs() const { return std::ssize(first); }
    int64_t pixels() const { return end - begin; }
  };
  void set_axis(Axis& axis, const Line& line, Interpolation interpolation);

  Axis rows_;
  Axis columns_;
  std::vector<double> exact_;
  std::vector<uint8_t> between_;
  std::vector<uint8_t> out_;
};

/// The image, uint8 [H,W,3], in another size of at least 1 x 1. `image` may be a view; the result
/// is contiguous.
at::Tensor resize(const at::Tensor& image, int64_t height, int64_t width,
                  Interpolation interpolation);

/// The window of a cut of an image, uint8 [H,W,3], contiguous.
at::Tensor apply_cut(const Cut& cut, const at::Tensor& image);

}  // namespace mobileone
