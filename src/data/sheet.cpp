#include "mobileone/data/sheet.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "mobileone/util/one_line.h"
#include "mobileone/util/utf8.h"

namespace mobileone {
namespace {

// In pixels.
constexpr int kGap = 12;
constexpr int kLineHeight = 18;
constexpr int kHeadingHeight = 32;
constexpr int kSheetWidth = 1500;
constexpr int64_t kSmallestTile = 160;
static_assert((kSheetWidth - kGap) / (kSmallestTile + kGap) == kSheetColumns);

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
constexpr double kTextSize = 0.43;
constexpr double kHeadingSize = 0.55;
const cv::Scalar kInk(32, 32, 32);

/// What the font lacks is written as Python writes it: \u732b, \U0001f408.
std::string ascii(const std::string& text) {
  const std::string line = one_line(text);
  std::string result;
  for (const auto& [code, bytes] : characters(line)) {
    if (code < 0x80) {
      result += bytes;
    } else {
      result += code < 0x10000 ? fmt::format("\\u{:04x}", static_cast<uint32_t>(code))
                               : fmt::format("\\U{:08x}", static_cast<uint32_t>(code));
    }
  }
  return result;
}

int text_width(const std::string& text, double size) {
  int below = 0;
  return cv::getTextSize(text, kFont, size, 1, &below).width;
}

std::string fitted(const std::string& text, int width, double size) {
  std::string result = ascii(text);
  if (text_width(result, size) <= width) return result;
  while (!result.empty() && text_width(result + "...", size) > width) result.pop_back();
  return result + "...";
}

void write_line(cv::Mat& sheet, const std::string& text, int left, int baseline, int width,
                double size) {
  cv::putText(sheet, fitted(text, width, size), {left, baseline}, kFont, size, kInk, 1,
              cv::LINE_AA);
}

}  // namespace

at::Tensor draw_sheet(const Sheet& contents) {
  const auto& [heading, tiles] = contents;
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
  at::Tensor drawn =
      at::full({kHeadingHeight + kGap + rows * step_y, kGap + columns * step_x, 3}, 255, at::kByte);
  cv::Mat sheet(static_cast<int>(drawn.size(0)), static_cast<int>(drawn.size(1)), CV_8UC3,
                drawn.mutable_data_ptr());
  write_line(sheet, heading, kGap, kHeadingHeight - 8, sheet.cols - 2 * kGap, kHeadingSize);
  for (int i = 0; i < static_cast<int>(tiles.size()); ++i) {
    const int left = kGap + i % columns * step_x;
    const int top = kHeadingHeight + kGap / 2 + i / columns * step_y;
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
