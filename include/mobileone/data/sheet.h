#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace mobileone {

/// An image with a few lines under it.
struct Tile {
  at::Tensor image;  ///< uint8 [H,W,3]; not defined: a blank
  std::vector<std::string> lines;
};

/// Tiles, one at least, in rows under a heading. Their images have one size.
struct Sheet {
  std::string heading;
  std::vector<Tile> tiles;
};

/// Tiles of 160 px in a row of a sheet.
constexpr int64_t kSheetColumns = 8;

/// A sheet as a picture, uint8 [H,W,3]. Images of less than 160 px are enlarged by whole factors.
/// The font has ASCII alone: other characters are written as in "\u732b"; a line too long for its
/// tile is cut short.
at::Tensor draw_sheet(const Sheet& sheet);

}  // namespace mobileone
