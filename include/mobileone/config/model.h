#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "mobileone/config/field.h"

namespace mobileone {

enum class Variant { kS0, kS1, kS2, kS3, kS4 };
inline constexpr auto enum_names(Variant) {
  return std::array<EnumName<Variant>, 5>{{{Variant::kS0, "s0"},
                                           {Variant::kS1, "s1"},
                                           {Variant::kS2, "s2"},
                                           {Variant::kS3, "s3"},
                                           {Variant::kS4, "s4"}}};
}

/// What follows the backbone.
enum class HeadKind { kClassifier, kDeepLabV3, kSsdLite };
inline constexpr auto enum_names(HeadKind) {
  return std::array<EnumName<HeadKind>, 3>{{{HeadKind::kClassifier, "classifier"},
                                            {HeadKind::kDeepLabV3, "deeplabv3"},
                                            {HeadKind::kSsdLite, "ssdlite"}}};
}

/// A part of the network: the stem, a stage of blocks, the classifier, or another head.
enum class Part { kStem, kStage1, kStage2, kStage3, kStage4, kClassifier, kHead };
inline constexpr auto enum_names(Part) {
  return std::array<EnumName<Part>, 7>{{{Part::kStem, "stem"},
                                        {Part::kStage1, "stage1"},
                                        {Part::kStage2, "stage2"},
                                        {Part::kStage3, "stage3"},
                                        {Part::kStage4, "stage4"},
                                        {Part::kClassifier, "classifier"},
                                        {Part::kHead, "head"}}};
}

/// Outputs that a head can have.
inline constexpr int64_t kMostClasses = 1'000'000;

/// Blocks in each stage of every published variant.
inline constexpr std::array<int64_t, 4> kDepths = {2, 8, 10, 1};

struct ModelConfig {
  Variant variant = Variant::kS0;
  HeadKind head = HeadKind::kClassifier;
  int64_t num_classes = 0;
  int64_t in_channels = 3;
  std::vector<double> width_multipliers;
  std::vector<int64_t> depths;
  std::vector<int64_t> branches;
  std::vector<int64_t> se_blocks;
  bool scale_branch = true;
  bool skip_branch = true;
  int64_t stem_branches = 1;
  int64_t stem_stride = 2;
  int64_t output_stride = 32;
  std::string pretrained;
  std::vector<Part> freeze;

  bool operator==(const ModelConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("variant", variant, {"The published network that the keys below start from."});
    v("head", head,
      {"What follows the backbone, and so the task: a linear classifier of images; DeepLabV3, "
       "which gives a class to each pixel (section `segment`); or SSDLite, which finds objects "
       "(section `detect`)."});
    v("num_classes", num_classes,
      {"Outputs of the head; 0: as many as the training data has classes.", "classes", 0,
       static_cast<double>(kMostClasses)});
    v("in_channels", in_channels,
      {"Channels of the input image: 3 is RGB, 1 grey. Weights of `pretrained` of 3 channels are "
       "summed for 1.",
       "channels",
       1,
       3,
       {1, 3}});
    v("width_multipliers", width_multipliers,
      {"One per stage, times the base widths 64, 128, 256, 512; empty: the variant's.",
       "",
       0.01,
       64,
       {0, 4}});
    v("depths", depths, {"Blocks per stage; empty: 2, 8, 10, 1.", "blocks", 1, 1000, {0, 4}});
    v("branches", branches,
      {"Train-time convolution branches k of each unit: one number for all, or one per stage; "
       "empty: the variant's.",
       "branches",
       1,
       64,
       {0, 1, 4}});
    v("se_blocks", se_blocks,
      {"How many of each stage's last blocks have squeeze-and-excitation; empty: the variant's.",
       "blocks",
       0,
       1000,
       {0, 4}});
    v("scale_branch", scale_branch, {"Whether 3x3 units have a 1x1 branch while they train."});
    v("skip_branch", skip_branch,
      {"Whether units whose input and output have one shape have a batch norm alone as a branch."});
    v("stem_branches", stem_branches, {"Branches k of the stem.", "branches", 1, 64});
    v("stem_stride", stem_stride, {"Stride of the stem; 1 suits images of 32 to 64 px.", "", 1, 2});
    v("output_stride", output_stride,
      {"Largest ratio of input to feature size; beyond it stages dilate instead of striding.",
       "",
       8,
       32,
       {8, 16, 32}});
    v("pretrained", pretrained,
      FieldInfo{
          "A file of weights, folded or not, that training starts from; a head of another kind "
          "or of other classes stays as it is made. Empty: random ones."}
          .with(Scope::kPlace));
    v("freeze", freeze,
      {"Parts of the pretrained network that training leaves as they are: their parameters, and "
       "the running statistics of their batch norms, by which they compute."});
  }
};

}  // namespace mobileone
