#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace mobileone {

/// An image with a few lines under it.
struct Tile {
  at::Tensor image;  ///< uint8 [H,W,3]
  std::vector<std::string> lines;
};

/// Tiles of 160 px in a row of a sheet.
constexpr int64_t kSheetColumns = 8;

/// Tiles in rows under a heading, uint8 [H,W,3]. Images of less than 160 px are enlarged by whole
/// factors. Text is ASCII: other characters become '?'; a line too long for its tile is cut short.
/// `tiles` is not empty; their images have one size.
at::Tensor draw_sheet(const std::string& heading, const std::vector<Tile>& tiles);

}  // namespace mobileone
