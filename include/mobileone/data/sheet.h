#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "mobileone/data/image_list.h"
#include "mobileone/data/object.h"

namespace mobileone {

/// An image with a few lines under it.
struct Tile {
  at::Tensor image;  ///< uint8 [H,W,3]; not defined: a blank
  std::vector<std::string> lines;
};

/// A colour, RGB, and what it stands for.
struct LegendKey {
  std::array<uint8_t, 3> color;
  std::string text;
};

/// Tiles, one at least, in rows under a heading and what their colours stand for. Their images have
/// one size.
struct Sheet {
  std::string heading;
  std::vector<Tile> tiles;
  std::vector<LegendKey> legend = {};
};

/// A tile of an image, uint8 [H,W,3], with the classes of its mask, uint8 [H,W], laid over it.
Tile masked_tile(const at::Tensor& image, const at::Tensor& mask, const std::string& line);

/// A tile of an image with boxes of its pixels drawn on it, with the names of their classes; those
/// of crowds and difficult objects, which are not learnt, are thin.
Tile boxed_tile(const at::Tensor& image, const std::vector<Object>& objects, const ImageList& list,
                const std::string& line);

/// The colours of the classes of `list` that have pixels, by their labels' numbers of them.
std::vector<LegendKey> mask_legend(const ImageList& list,
                                   const std::array<int64_t, 256>& label_counts);

/// Tiles of 160 px in a row of a sheet.
constexpr int64_t kSheetColumns = 8;

/// A sheet as a picture, uint8 [H,W,3]. Images of less than 160 px are enlarged by whole factors.
/// The font has ASCII alone: other characters are written as in "\u732b"; a line too long for its
/// tile is cut short.
at::Tensor draw_sheet(const Sheet& sheet);

}  // namespace mobileone
