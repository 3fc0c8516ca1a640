#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "mobileone/config/config.h"

namespace mobileone {

/// One MobileOne unit: train-time branches over one convolution, SE, ReLU (paper, figure 3).
struct UnitOptions {
  std::string name;  ///< "stage0" (the stem), "stage2.5": Apple's key prefix
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t groups = 1;
  int64_t branches = 1;  ///< k, the replicated conv + BN branches
  bool scale = true;     ///< a 1×1 branch beside kernels that are larger
  bool skip = true;      ///< a BN branch where input and output have one shape
  bool se = false;
  bool folded = false;  ///< one convolution with bias instead of branches

  int64_t padding() const { return dilation * (kernel / 2); }
  bool has_scale() const { return scale && kernel > 1; }
  bool has_skip() const { return skip && in_channels == out_channels && stride == 1; }
  /// Output height or width for an input of `size`.
  int64_t output_size(int64_t size) const { return (size - 1) / stride + 1; }
  /// [Cout, Cin/groups, K, K].
  std::vector<int64_t> weight_shape() const {
    return {out_channels, in_channels / groups, kernel, kernel};
  }
};

struct StageOptions {
  int64_t channels = 0;
  int64_t blocks = 0;  ///< each a depthwise 3×3 and a pointwise 1×1 unit
  int64_t stride = 2;  ///< of the first block
  int64_t dilation = 1;
  int64_t branches = 1;
  int64_t se_blocks = 0;  ///< the stage's last blocks that have SE

  bool operator==(const StageOptions&) const = default;
};

/// Image classification: the mean of the last stage's map, then a linear layer, "linear".
struct ClassifierOptions {
  bool operator==(const ClassifierOptions&) const = default;
};

/// Semantic segmentation by DeepLabV3 (Chen et al. 2017, section 3) in CVNets' form: atrous spatial
/// pyramid pooling (ASPP) over the last stage, a projection, dropout, a 1×1 convolution.
struct DeepLabOptions {
  int64_t channels = 512;                    ///< of each branch of ASPP and of the projection
  std::vector<int64_t> rates = {6, 12, 18};  ///< dilation of each 3×3 branch
  bool pooling = true;                       ///< a branch of the image's mean
  double dropout = 0.1;
  bool separable = false;  ///< 3×3 branches are a depthwise and a pointwise unit
  bool auxiliary = true;   ///< a second head, over the stage before, that only training has

  bool operator==(const DeepLabOptions&) const = default;
};

/// Object detection by SSDLite (Liu et al. 2016; Sandler et al. 2018, section 6.2): maps of several
/// strides, each with a number of anchors a cell, of which it gives the classes and boxes by a
/// depthwise 3×3 unit and a 1×1 convolution.
struct SsdLiteOptions {
  /// Of the maps, each twice the one before. Those that the stages have not are extra layers: a 1×1
  /// unit to half the channels, a depthwise 3×3 one of stride 2, a 1×1 one.
  std::vector<int64_t> strides = {16, 32, 64, 128, 256, 512};
  std::vector<int64_t> extra_channels = {512, 256, 256, 128};  ///< of each extra layer
  bool joint = false;  ///< a level's classes and boxes share the depthwise unit
  /// Of each level, and of one after it: the side of its square anchors as a share of the image's.
  std::vector<double> scales = {0.15, 0.3125, 0.46875, 0.63125, 0.790625, 0.95, 1};
  std::vector<std::vector<double>> ratios = {{2, 3}, {2, 3}, {2, 3}, {2, 3}, {2, 3}, {2, 3}};
  SsdPreset preset = SsdPreset::kMmdetection;  ///< whose rules place and clip the anchors
  std::array<double, 2> variances = {0.1, 0.2};

  bool operator==(const SsdLiteOptions&) const = default;

  int64_t levels() const { return std::ssize(strides); }
  /// A cell's: two squares, and a wide and a high one of each ratio.
  int64_t anchors(int64_t level) const { return 2 + 2 * std::ssize(ratios[level]); }
};

using HeadOptions = std::variant<ClassifierOptions, DeepLabOptions, SsdLiteOptions>;

/// A whole network. A stage's first block dilates as the stage before it (as torchvision's
/// replace_stride_with_dilation).
struct NetworkOptions {
  std::string variant;  ///< "s0", or "custom" where the configuration departs from the table
  int64_t in_channels = 3;
  int64_t num_classes = 1000;  ///< of the head's outputs; 0: no head, a backbone only
  int64_t stem_channels = 64;
  int64_t stem_stride = 2;
  int64_t stem_branches = 1;
  bool scale_branch = true, skip_branch = true;  ///< of every unit that can have them
  /// Whether the first unit of a stage that dilates instead of striding has a skip branch, which
  /// the strided stage's, whose weights it may start from, has not.
  bool skip_where_dilated = true;
  std::vector<StageOptions> stages;
  HeadOptions head;
  bool folded = false;
};

/// The network that a configuration describes: the variant's row of the table, and what the
/// configuration says otherwise. `num_classes` replaces a configured 0.
NetworkOptions network_options(const Config& config, int64_t num_classes = 1000);

/// The same with a classifier, whatever `config.head` is.
NetworkOptions network_options(const ModelConfig& config, int64_t num_classes = 1000);

/// A published variant, unfolded.
NetworkOptions network_options(Variant variant, int64_t num_classes = 1000);

/// Where a unit or a tensor of the network belongs, by its name: "stage0..." is the stem,
/// "stage2..." a stage, "linear..." the classifier, "head..." a head that is none.
Part part_of(std::string_view name);

/// Every unit of the backbone in order of computation: stem, then depthwise and pointwise units in
/// turn.
std::vector<UnitOptions> unit_table(const NetworkOptions& options);

/// A layer of a head that has weights.
struct HeadLayer {
  enum class Kind {
    kUnit,
    kConv,    ///< a 1×1 convolution with bias
    kLinear,  ///< the same on one pixel, as a matrix
  };
  UnitOptions unit;  ///< of the others name and channels count
  Kind kind = Kind::kUnit;
  int64_t stage = 0;     ///< on a map of this stage's size, from 1
  bool pooled = false;   ///< or on one pixel, the mean of such a map
  int64_t halvings = 0;  ///< or on such a map, its sides halved so often and rounded up
};

/// The levels of SSDLite that are maps of the network's stages: their numbers, from 1.
std::vector<int64_t> ssd_stages(const NetworkOptions& options);

/// Every such layer in order of computation, which is that of the state dict.
std::vector<HeadLayer> head_table(const NetworkOptions& options);

}  // namespace mobileone
