#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mobileone {

/// Which pixels of an image belong to an object, as COCO has it: columns from left to right, each
/// from top to bottom, in runs of pixels that are outside of it and inside in turn, beginning with
/// outside. A run may be empty.
struct Rle {
  int64_t height = 0, width = 0;      ///< px
  std::vector<uint32_t> counts = {};  ///< lengths of the runs; their sum is height · width
};

/// Vertices x0 y0 x1 y1 ..., px from the left and the top edge of the image; the last is joined
/// with the first.
using Polygon = std::vector<double>;

/// How far vertices may lie from the image's left top corner, px, in either direction.
inline constexpr double kMostCoordinate = 1 << 20;

/// The pixels that a polygon encloses in an image of `height` · `width` px, fewer than 2^32: those
/// of pycocotools. Vertices are rounded to fifths of a pixel, edges are lines of such points, and
/// where one passes a column's middle it begins or ends a run, so that what overlaps itself twice
/// is outside. Vertices are at most `kMostCoordinate`. Throws Error naming `name` where edges pass
/// more than 16 million columns in all, which no drawn polygon does.
Rle polygon_rle(const Polygon& polygon, int64_t height, int64_t width, const std::string& name);

/// The counts in COCO's compressed form: numbers of 5 bits a character with the lowest first, each
/// from the fourth on less the last but one. Throws Error naming `name` if `text` is none or a
/// count is negative or 2^32 or more.
std::vector<uint32_t> parse_rle_counts(std::string_view text, const std::string& name);

/// The pixels that belong to any of them, which are of the same size; there is at least one.
Rle unite(const std::vector<Rle>& parts);

/// Calls fill(begin, end) for the pixels of each run inside, counted along the columns.
template <typename Fill>
void for_runs_inside(const Rle& rle, Fill fill) {
  int64_t end = 0;
  for (size_t i = 0; i < rle.counts.size(); ++i) {
    const int64_t begin = end;
    end += rle.counts[i];
    if (i % 2 == 1 && begin < end) fill(begin, end);
  }
}

/// uint8 [H,W], 1 inside and 0 outside.
at::Tensor rle_mask(const Rle& rle);

}  // namespace mobileone
