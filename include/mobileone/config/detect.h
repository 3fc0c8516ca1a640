#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "mobileone/config/field.h"

namespace mobileone {

/// Whose SSDLite gives what the configuration leaves open.
enum class SsdPreset { kMmdetection, kTorchvision, kCvnets };
inline constexpr auto enum_names(SsdPreset) {
  return std::array<EnumName<SsdPreset>, 3>{{{SsdPreset::kMmdetection, "mmdetection"},
                                             {SsdPreset::kTorchvision, "torchvision"},
                                             {SsdPreset::kCvnets, "cvnets"}}};
}

/// Levels of maps that every preset has, and the stride of the last.
inline constexpr int64_t kSsdLevels = 6, kLargestSsdStride = 512;

/// Which boxes remain of those that a network gives (non-maximum suppression).
struct NmsConfig {
  double score = 0;
  double iou = 0;
  int64_t candidates = 0;
  int64_t detections = 0;

  bool operator==(const NmsConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("score", score,
      {"Only boxes of a higher score count; 0: the preset's (0.02, 0.001 of torchvision's, 0.01 of "
       "CVNets').",
       "", 0, kBelowOne});
    v("iou", iou,
      {"A box is dropped whose intersection over union with a better one of its class is larger; "
       "0: the preset's (0.45, 0.55, 0.5).",
       "", 0, 1});
    v("candidates", candidates,
      {"Boxes of each class that are looked at, the best; 0: the preset's (1000, 300, 400).",
       "boxes", 0, 100000});
    v("detections", detections,
      {"Boxes of an image that remain, of all classes, the best; 0: the preset's (200, 300, 200).",
       "boxes", 0, 10000});
  }
};

/// The SSDLite head (Liu et al. 2016; Sandler et al. 2018, section 6.2).
struct DetectConfig {
  SsdPreset preset = SsdPreset::kMmdetection;
  std::vector<int64_t> strides = {};
  std::vector<int64_t> extra_channels = {};
  bool joint = false;
  std::vector<double> scales = {};
  std::vector<double> ratios = {};
  std::array<double, 2> variances = {0.1, 0.2};
  double positive_iou = 0.5;
  double negatives = 3;
  int64_t min_negatives = 0;
  double focal = 0;
  double smooth_l1 = 1;
  NmsConfig nms = {};

  bool operator==(const DetectConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("preset", preset,
      {"Whose anchors, extra layers and non-maximum suppression count where the keys below say "
       "nothing (docs/detection.md)."});
    v("strides", strides,
      {"Strides of the levels, fine to coarse, each twice the one before, from 8 or 16 on; those "
       "beyond 32 are extra layers; empty: 16, 32, 64, 128, 256, 512.",
       "px", 8, 4096});
    v("extra_channels", extra_channels,
      {"Channels of each extra layer; empty: 512, 256, 256, 128 (CVNets: 256, 128, 128, 64), the "
       "last repeated.",
       "channels", 1, 4096});
    v("joint", joint,
      {"Whether classes and boxes of a level share one depthwise convolution (as in CVNets)."});
    v("scales", scales,
      {"Sides of the levels' square anchors as shares of the image's, and one more number, of the "
       "level after the last; empty: the preset's, and half the first at a stride of 8.",
       "", 0.001, 4});
    v("ratios", ratios,
      {"Of the longer to the shorter side of an anchor; each makes a wide and a high one; empty: "
       "2, 3.",
       "", 1.01, 20});
    v("variances", variances,
      {"Boxes' centres are learnt in units of the anchor's side times the first number, the "
       "logarithms of their sides in units of the second.",
       "", 0.001, 10});
    v("positive_iou", positive_iou,
      {"An anchor is trained towards the object with which it has the largest intersection over "
       "union, if it is at least this; the best anchor of an object always is.",
       "", 0.01, 1});
    v("negatives", negatives,
      {"Anchors without an object that count in the loss, the hardest of each image, for each one "
       "with an object (hard negative mining).",
       "", 0, 1000});
    v("min_negatives", min_negatives,
      {"How many count at least in an image. With 0, as in SSD, an image without objects teaches "
       "nothing.",
       "anchors", 0, 100000});
    v("focal", focal,
      {"Gamma of the focal loss (Lin et al. 2017) over all anchors, in the place of hard negative "
       "mining; 0: cross entropy with mining.",
       "", 0, 10});
    v("smooth_l1", smooth_l1,
      {"Beta of the boxes' smooth L1 loss, where it turns from a square to a line.", "", 0.001,
       10});
    v("nms", nms, {"Non-maximum suppression, of each class by itself."});
  }
};

}  // namespace mobileone
