#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "mobileone/config/field.h"

namespace mobileone {

enum class Policy { kNone, kAutoAugment, kRandAugment, kTrivialAugment };
inline constexpr auto enum_names(Policy) {
  return std::array<EnumName<Policy>, 4>{{{Policy::kNone, "none"},
                                          {Policy::kAutoAugment, "autoaugment"},
                                          {Policy::kRandAugment, "randaugment"},
                                          {Policy::kTrivialAugment, "trivialaugment"}}};
}

enum class RandAugmentSpace { kTorchvision, kTimm };
inline constexpr auto enum_names(RandAugmentSpace) {
  return std::array<EnumName<RandAugmentSpace>, 2>{
      {{RandAugmentSpace::kTorchvision, "torchvision"}, {RandAugmentSpace::kTimm, "timm"}}};
}

enum class EraseMode { kConst, kRand, kPixel };
inline constexpr auto enum_names(EraseMode) {
  return std::array<EnumName<EraseMode>, 3>{
      {{EraseMode::kConst, "const"}, {EraseMode::kRand, "rand"}, {EraseMode::kPixel, "pixel"}}};
}

struct RandAugmentConfig {
  RandAugmentSpace space = RandAugmentSpace::kTorchvision;
  int64_t operations = 2;
  double magnitude = 9;
  double magnitude_std = 0;

  bool operator==(const RandAugmentConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("space", space,
      {"Whose operations and magnitudes: torchvision's RandAugment, every operation applied; or "
       "timm's increasing ones (rand-...-inc1, mmpretrain's timm_increasing), each with "
       "probability 0.5."});
    v("operations", operations, {"Operations drawn for an image.", "", 1, 16});
    v("magnitude", magnitude,
      {"Their strength: a whole number from 0 to 30 (torchvision), a number from 0 to 10 (timm).",
       "", 0, 30});
    v("magnitude_std", magnitude_std,
      {"Standard deviation of the magnitude, drawn for each operation (timm).", "", 0, 100});
  }
};

struct EraseConfig {
  double probability = 0;
  EraseMode mode = EraseMode::kPixel;
  std::array<double, 2> area = {0.02, 1.0 / 3};
  std::array<double, 2> ratio = {0.3, 1 / 0.3};

  bool operator==(const EraseConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("probability", probability, {"Of erasing a box of an image; 0: never.", "", 0, 1});
    v("mode", mode,
      {"What replaces it, of normalised values: zeros, one normal colour, or normal noise."});
    v("area", area, {"Smallest and largest share of the image's area.", "", 1e-6, 1});
    v("ratio", ratio, {"Smallest and largest ratio of height to width.", "", 0.01, 100});
  }
};

struct MixConfig {
  double mixup = 0;
  double cutmix = 0;
  double probability = 1;
  double switch_probability = 0.5;

  bool operator==(const MixConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("mixup", mixup,
      {"Mixup: alpha of the Beta(alpha, alpha) that a batch's weight is drawn from; 0: none.", "",
       0, 100});
    v("cutmix", cutmix, {"CutMix: likewise.", "", 0, 100});
    v("probability", probability, {"Of mixing a batch.", "", 0, 1});
    v("switch_probability", switch_probability,
      {"Of CutMix instead of mixup where both are set.", "", 0, 1});
  }
};

struct SegmentAugmentConfig {
  std::array<int64_t, 2> short_side = {256, 768};
  int64_t long_side = 1024;
  double max_class_share = 0.75;
  double blur = 0.5;
  double photometric = 0.5;
  double rotate = 10;

  bool operator==(const SegmentAugmentConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("short_side", short_side,
      {"Smallest and largest short side that an image is resized to, uniformly drawn.", "px", 8,
       8192});
    v("long_side", long_side, {"What its long side is at most.", "px", 8, 16384});
    v("max_class_share", max_class_share,
      {"A crop, of data.size, is drawn anew, up to ten times, while one class has more of its "
       "valid pixels than this share; 1: never.",
       "", 0.01, 1});
    v("blur", blur, {"Probability of a Gaussian blur, of a radius from 0 to 1.", "", 0, 1});
    v("photometric", photometric,
      {"Probability of each step of photometric distortion: brightness, contrast, saturation, hue, "
       "and another order of the channels.",
       "", 0, 1});
    v("rotate", rotate, {"Largest angle of rotation, to either side.", "degrees", 0, 180});
  }
};

/// Whose rules a random crop of a picture with boxes follows.
enum class BoxCrop { kNone, kMmdetection, kTorchvision, kCvnets };
inline constexpr auto enum_names(BoxCrop) {
  return std::array<EnumName<BoxCrop>, 4>{{{BoxCrop::kNone, "none"},
                                           {BoxCrop::kMmdetection, "mmdetection"},
                                           {BoxCrop::kTorchvision, "torchvision"},
                                           {BoxCrop::kCvnets, "cvnets"}}};
}

struct DetectAugmentConfig {
  double zoom_out = 0.5;
  double most_zoom = 4;
  BoxCrop crop = BoxCrop::kMmdetection;
  double photometric = 0.5;

  bool operator==(const DetectAugmentConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("zoom_out", zoom_out,
      {"Probability that the image is put on a larger canvas of the mean colour.", "", 0, 1});
    v("most_zoom", most_zoom, {"Largest ratio of the canvas' side to the image's.", "", 1, 16});
    v("crop", crop,
      {"Random crop by its overlap with the boxes: mmdetection's MinIoURandomCrop, where every box "
       "must overlap enough; torchvision's RandomIoUCrop, where one of those inside must; CVNets' "
       "SSDCroping, where any must; or none (docs/detection.md)."});
    v("photometric", photometric,
      {"Probability of each step of photometric distortion: brightness, contrast, saturation, hue, "
       "and another order of the channels.",
       "", 0, 1});
  }
};

struct AugmentConfig {
  std::array<double, 2> crop_area = {0.08, 1.0};
  std::array<double, 2> crop_ratio = {3.0 / 4, 4.0 / 3};
  double flip = 0.5;
  std::array<double, 4> color_jitter = {0, 0, 0, 0};
  Policy policy = Policy::kNone;
  RandAugmentConfig randaugment = {};
  double strength = 1.0;
  EraseConfig erase = {};
  MixConfig mix = {};
  SegmentAugmentConfig segment = {};
  DetectAugmentConfig detect = {};

  bool operator==(const AugmentConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("crop_area", crop_area,
      {"RandomResizedCrop: smallest and largest share of the image's area.", "", 1e-6, 1});
    v("crop_ratio", crop_ratio,
      {"RandomResizedCrop: smallest and largest ratio of width to height.", "", 0.01, 100});
    v("flip", flip, {"Probability of a horizontal flip.", "", 0, 1});
    v("color_jitter", color_jitter,
      {"ColorJitter, in random order: brightness, contrast and saturation change by a random "
       "factor of 1 - x to 1 + x, the hue by -x to x of its circle (x at most 0.5); 0: not at all.",
       "", 0, 1});
    v("policy", policy,
      {"Further augmentation: AutoAugment's ImageNet policy (the paper: S2-S4), RandAugment, or "
       "TrivialAugmentWide; the last and the first as torchvision has them."});
    v("randaugment", randaugment, {"RandAugment; for `policy: randaugment`."});
    v("strength", strength,
      {"Scales the policy's magnitudes (and, for operations without one, their probability) where "
       "the curriculum names none.",
       "", 0, 1});
    v("erase", erase, {"Random erasing, after normalisation."});
    v("mix", mix, {"Mixing the images of a batch, and their labels."});
    v("segment", segment,
      {"Segmentation's: image and mask are resized, flipped with probability `flip`, cropped to "
       "data.size, blurred, distorted and rotated, in this order, as in CVNets."});
    v("detect", detect,
      {"Detection's: image and boxes are zoomed out, cropped, resized to data.size, flipped with "
       "probability `flip` and distorted, in this order."});
  }
};

struct CurriculumStage {
  int64_t epoch = 0;
  int64_t size = 224;
  double strength = 1.0;

  bool operator==(const CurriculumStage&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("epoch", epoch, {"First epoch of the stage, from 0.", "epochs", 0, 1e6});
    v("size", size, {"Training image size.", "px", 8, 4096});
    v("strength", strength, {"Strength of the augmentation policy.", "", 0, 1});
  }
};

struct CurriculumConfig {
  std::vector<CurriculumStage> stages;

  bool operator==(const CurriculumConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("stages", stages,
      {"Image size and augmentation strength by epoch: a list of {epoch, size, strength}, the "
       "first from epoch 0; empty: `data.size` and `augment.strength` throughout."});
  }
};

}  // namespace mobileone
