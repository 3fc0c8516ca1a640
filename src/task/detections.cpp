#include "mobileone/task/detections.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "mobileone/graph/graph.h"
#include "mobileone/kernels/nms.h"
#include "mobileone/model/anchors.h"
#include "mobileone/util/profile.h"

namespace mobileone {

NmsConfig nms_of(const DetectConfig& detect) {
  NmsConfig preset;
  switch (detect.preset) {
    case SsdPreset::kMmdetection:
      preset = {.score = 0.02, .iou = 0.45, .candidates = 1000, .detections = 200};
      break;
    case SsdPreset::kTorchvision:
      preset = {.score = 0.001, .iou = 0.55, .candidates = 300, .detections = 300};
      break;
    case SsdPreset::kCvnets:
      preset = {.score = 0.01, .iou = 0.5, .candidates = 400, .detections = 200};
      break;
  }
  const NmsConfig& own = detect.nms;
  if (own.score > 0) preset.score = own.score;
  if (own.iou > 0) preset.iou = own.iou;
  if (own.candidates > 0) preset.candidates = own.candidates;
  if (own.detections > 0) preset.detections = own.detections;
  return preset;
}

DetectionDecoder::DetectionDecoder(const SsdLiteOptions& head, const NmsConfig& nms, int64_t height,
                                   int64_t width)
    : nms_(nms),
      variances_(head.variances),
      height_(static_cast<double>(height)),
      width_(static_cast<double>(width)),
      anchors_(ssd_anchors(head, height, width).to(at::kFloat)) {}

/// [4,A], an edge after the other.
at::Tensor DetectionDecoder::boxes_of(const at::Tensor& offsets) const {
  const auto centres = anchors_.slice(1, 0, 2), sides = anchors_.slice(1, 2, 4);
  const auto middle = offsets.slice(1, 0, 2) * variances_[0] * sides + centres;
  const auto logarithms = (offsets.slice(1, 2, 4) * variances_[1]).clamp_max(graph::kMostLogSide);
  const auto half = 0.5 * (logarithms.exp() * sides);
  const auto edges = at::cat({middle - half, middle + half}, 1).t().contiguous();
  edges.slice(0, 0, 4, 2).clamp_(0, width_);
  edges.slice(0, 1, 4, 2).clamp_(0, height_);
  return edges;
}

std::vector<Detection> DetectionDecoder::operator()(const at::Tensor& output) const {
  const Span span("non-maximum suppression");
  const auto wide = output.to(at::kFloat);
  const auto scores = wide.slice(1, 4).softmax(1).t().contiguous();  // [1+classes,A]
  const auto edges = boxes_of(wide.slice(1, 0, 4));
  const int64_t anchors = edges.size(1);
  const float* edge = edges.const_data_ptr<float>();
  const auto least = static_cast<float>(nms_.score), iou = static_cast<float>(nms_.iou);

  std::vector<Detection> found;
  std::vector<int32_t> order, kept(static_cast<size_t>(nms_.detections));
  std::array<std::vector<float>, 4> own;
  for (int64_t label = 0; label + 1 < scores.size(0); ++label) {
    const float* score = scores.const_data_ptr<float>() + (label + 1) * anchors;
    order.clear();
    for (int64_t a = 0; a < anchors; ++a) {
      if (score[a] > least) order.push_back(static_cast<int32_t>(a));
    }
    std::ranges::stable_sort(order, [&](int32_t a, int32_t b) { return score[a] > score[b]; });
    if (std::ssize(order) > nms_.candidates) order.resize(static_cast<size_t>(nms_.candidates));
    for (size_t e = 0; e < own.size(); ++e) {
      own[e].clear();
      for (const int32_t a : order) own[e].push_back(edge[static_cast<int64_t>(e) * anchors + a]);
    }
    const kernels::BoxEdges boxes{std::ssize(order), own[0].data(), own[1].data(), own[2].data(),
                                  own[3].data()};
    const int64_t count = kernels::suppress(boxes, iou, nms_.detections, kept.data());
    for (int64_t i = 0; i < count; ++i) {
      const auto at = static_cast<size_t>(kept[i]);
      found.push_back({.box = {own[0][at], own[1][at], own[2][at], own[3][at]},
                       .label = static_cast<int32_t>(label),
                       .score = score[order[at]]});
    }
  }
  std::ranges::stable_sort(found, std::greater(), &Detection::score);
  if (std::ssize(found) > nms_.detections) found.resize(static_cast<size_t>(nms_.detections));
  return found;
}

}  // namespace mobileone
