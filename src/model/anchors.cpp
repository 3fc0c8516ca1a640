#include "mobileone/model/anchors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace mobileone {
namespace {

struct Sides {
  double width, height;
};

/// Of a cell's anchors, as shares of the image's.
std::vector<Sides> cell_sides(const SsdLiteOptions& head, int64_t level) {
  const double scale = head.scales[level], between = std::sqrt(scale * head.scales[level + 1]);
  std::vector<Sides> sides = {{scale, scale}, {between, between}};
  for (const double ratio : head.ratios[level]) {
    const double root = std::sqrt(ratio);
    sides.push_back({scale * root, scale / root});
    sides.push_back({scale / root, scale * root});
  }
  if (head.preset != SsdPreset::kMmdetection) {
    for (auto& [width, height] : sides)
      width = std::min(width, 1.0), height = std::min(height, 1.0);
  }
  return sides;
}

/// The middle of each cell along one side of the image, px.
std::vector<double> centers(const SsdLiteOptions& head, int64_t cells, int64_t pixels) {
  std::vector<double> middles;
  const auto whole = static_cast<double>((pixels + cells - 1) / cells);
  for (int64_t i = 0; i < cells; ++i) {
    const double place = static_cast<double>(i) + 0.5;
    middles.push_back(head.preset == SsdPreset::kMmdetection
                          ? place * whole
                          : place / static_cast<double>(cells) * static_cast<double>(pixels));
  }
  return middles;
}

}  // namespace

std::vector<std::array<int64_t, 2>> level_sizes(const SsdLiteOptions& head, int64_t height,
                                                int64_t width) {
  std::vector<std::array<int64_t, 2>> sizes;
  for (const int64_t stride : head.strides) {
    sizes.push_back({(height + stride - 1) / stride, (width + stride - 1) / stride});
  }
  return sizes;
}

at::Tensor ssd_anchors(const SsdLiteOptions& head, int64_t height, int64_t width) {
  std::vector<double> anchors;
  const auto sizes = level_sizes(head, height, width);
  for (int64_t level = 0; level < head.levels(); ++level) {
    const auto sides = cell_sides(head, level);
    const auto columns = centers(head, sizes[level][1], width);
    for (const double y : centers(head, sizes[level][0], height)) {
      for (const double x : columns) {
        for (const auto& side : sides) {
          anchors.insert(anchors.end(), {x, y, side.width * static_cast<double>(width),
                                         side.height * static_cast<double>(height)});
        }
      }
    }
  }
  return at::tensor(anchors, at::kDouble).view({-1, 4});
}

std::vector<Box> anchor_boxes(const at::Tensor& anchors) {
  std::vector<Box> boxes;
  const double* anchor = anchors.const_data_ptr<double>();
  for (int64_t i = 0; i < anchors.size(0); ++i, anchor += 4) {
    const double x = anchor[0], y = anchor[1], w = anchor[2] / 2, h = anchor[3] / 2;
    boxes.push_back({x - w, y - h, x + w, y + h});
  }
  return boxes;
}

}  // namespace mobileone
