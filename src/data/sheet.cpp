#include "mobileone/data/sheet.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "mobileone/data/annotation.h"
#include "mobileone/data/box_picture.h"
#include "mobileone/data/index_mask.h"
#include "mobileone/data/mask_picture.h"
#include "picture_text.h"

namespace mobileone {
namespace {

// In pixels.
constexpr int kGap = 12;
constexpr int kLineHeight = 18;
constexpr int kHeadingHeight = 32;
constexpr int kSheetWidth = 1500;
constexpr int kSquare = 12;  // of a legend's colour
constexpr int64_t kSmallestTile = 160;
static_assert((kSheetWidth - kGap) / (kSmallestTile + kGap) == kSheetColumns);

constexpr double kTextSize = 0.43;
constexpr double kHeadingSize = 0.55;
const cv::Scalar kInk(32, 32, 32);

void write_line(cv::Mat& sheet, const std::string& text, int left, int baseline, int width,
                double size) {
  cv::putText(sheet, fitted(text, width, size), {left, baseline}, kPictureFont, size, kInk, 1,
              cv::LINE_AA);
}

constexpr int kKeyWidth = static_cast<int>(kSmallestTile) + kGap;

/// How many keys of a legend stand side by side.
int legend_columns(int sheet_width) { return std::max(1, (sheet_width - kGap) / kKeyWidth); }

int legend_height(size_t keys, int sheet_width) {
  const int columns = legend_columns(sheet_width);
  return (static_cast<int>(keys) + columns - 1) / columns * kLineHeight;
}

void draw_legend(cv::Mat& sheet, const std::vector<LegendKey>& legend, int top) {
  const int columns = legend_columns(sheet.cols);
  for (int i = 0; i < static_cast<int>(legend.size()); ++i) {
    const auto& [red, green, blue] = legend[i].color;
    const int left = kGap + i % columns * kKeyWidth;
    const int baseline = top + i / columns * kLineHeight + kSquare;
    cv::rectangle(sheet, cv::Rect(left, baseline - kSquare + 1, kSquare, kSquare),
                  cv::Scalar(red, green, blue), cv::FILLED);
    write_line(sheet, legend[i].text, left + kSquare + kGap / 2, baseline,
               kKeyWidth - kSquare - kGap, kTextSize);
  }
}

}  // namespace

Tile masked_tile(const at::Tensor& image, const at::Tensor& mask, const std::string& line) {
  constexpr double kOpacity = 0.5;
  return {overlay(image, mask, kOpacity), {line}};
}

Tile boxed_tile(const at::Tensor& image, const std::vector<Object>& objects, const ImageList& list,
                const std::string& line) {
  return {with_objects(image, objects, list.class_names), {line}};
}

std::vector<LegendKey> mask_legend(const ImageList& list,
                                   const std::array<int64_t, 256>& label_counts) {
  std::vector<LegendKey> legend;
  for (int64_t label = 0; label < kIgnored; ++label) {
    if (label_counts[label] == 0) continue;
    legend.push_back({voc_palette()[label], list.class_name(label)});
  }
  return legend;
}

at::Tensor draw_sheet(const Sheet& contents) {
  const auto& [heading, tiles, legend] = contents;
  at::Tensor first = at::empty({kSmallestTile, kSmallestTile, 3}, at::kByte);
  for (auto tile = tiles.rbegin(); tile != tiles.rend(); ++tile) {
    if (tile->image.defined()) first = tile->image;
  }
  const int64_t scale = (kSmallestTile + first.size(1) - 1) / first.size(1);
  const int height = static_cast<int>(scale * first.size(0));
  const int width = static_cast<int>(scale * first.size(1));
  size_t lines = 0;
  for (const Tile& tile : tiles) lines = std::max(lines, tile.lines.size());
  const int step_x = width + kGap;
  const int step_y = height + static_cast<int>(lines) * kLineHeight + kGap;
  const int fitting = std::max(1, (kSheetWidth - kGap) / step_x);
  const int columns = std::min(static_cast<int>(tiles.size()), fitting);
  const int rows = (static_cast<int>(tiles.size()) + columns - 1) / columns;
  const int sheet_width = kGap + columns * step_x;
  const int above = kHeadingHeight + legend_height(legend.size(), sheet_width) + kGap / 2;
  at::Tensor drawn = at::full({above + kGap / 2 + rows * step_y, sheet_width, 3}, 255, at::kByte);
  cv::Mat sheet(static_cast<int>(drawn.size(0)), static_cast<int>(drawn.size(1)), CV_8UC3,
                drawn.mutable_data_ptr());
  write_line(sheet, heading, kGap, kHeadingHeight - 8, sheet.cols - 2 * kGap, kHeadingSize);
  draw_legend(sheet, legend, kHeadingHeight);
  for (int i = 0; i < static_cast<int>(tiles.size()); ++i) {
    const int left = kGap + i % columns * step_x;
    const int top = above + i / columns * step_y;
    if (tiles[i].image.defined()) {
      drawn.narrow(0, top, height)
          .narrow(1, left, width)
          .copy_(tiles[i].image.repeat_interleave(scale, 0).repeat_interleave(scale, 1));
    }
    int baseline = top + height;
    for (const std::string& line : tiles[i].lines) {
      baseline += kLineHeight;
      write_line(sheet, line, left, baseline - 4, width, kTextSize);
    }
  }
  return drawn;
}

}  // namespace mobileone
