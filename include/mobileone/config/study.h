#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mobileone/config/config.h"

/// What the studies of `mobileone study` measure, in the manner of config.h.
namespace mobileone {

enum class Activation {
  kRelu,
  kGelu,
  kSeRelu,
  kSilu,
  kDynamicReluA,
  kDynamicReluB,
  kDynamicShiftMax
};
enum class Block { kPlain, kPooling, kLayerPooling, kSe, kSkip, kSeSkip, kBranches };

inline constexpr auto enum_names(Activation) {
  return std::array<EnumName<Activation>, 7>{{{Activation::kRelu, "relu"},
                                              {Activation::kGelu, "gelu"},
                                              {Activation::kSeRelu, "se_relu"},
                                              {Activation::kSilu, "silu"},
                                              {Activation::kDynamicReluA, "dynamic_relu_a"},
                                              {Activation::kDynamicReluB, "dynamic_relu_b"},
                                              {Activation::kDynamicShiftMax, "dynamic_shift_max"}}};
}
inline constexpr auto enum_names(Block) {
  return std::array<EnumName<Block>, 7>{{{Block::kPlain, "plain"},
                                         {Block::kPooling, "pooling"},
                                         {Block::kLayerPooling, "layer_pooling"},
                                         {Block::kSe, "se"},
                                         {Block::kSkip, "skip"},
                                         {Block::kSeSkip, "se_skip"},
                                         {Block::kBranches, "branches"}}};
}

/// Every value of an enum, in its order.
template <typename E>
std::vector<E> all_of_enum() {
  std::vector<E> values;
  for (const auto& entry : enum_names(E{})) values.push_back(entry.value);
  return values;
}

/// How latency is measured.
struct LatencyConfig {
  int64_t threads = 1;
  int64_t batch = 1;
  int64_t size = 224;
  int64_t rounds = 20;
  int64_t seed = 0;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("threads", threads, {"Threads of computation.", "threads", 1, 1024});
    v("batch", batch, {"Images per call.", "images", 1, 100000});
    v("size", size, {"Side of the square images.", "px", 8, 4096});
    v("rounds", rounds, {"Times that all networks have their turn, five calls each.", "", 1, 1e6});
    v("seed", seed, {"Of random weights and images.", "", 0, 0x1p53});
  }
};

/// A CNN of 3×3 convolutions one after the other.
struct PlainCnnConfig {
  int64_t layers = 30;
  std::vector<int64_t> widths = {16, 32, 64, 128};

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("layers", layers, {"3x3 convolutions, divided between the widths.", "", 1, 1000});
    v("widths", widths,
      {"Output channels; the first convolution of each width has stride 2.", "channels", 1, 65536});
  }
};

/// Multiply-adds and parameters against latency.
struct ScatterStudy {
  std::vector<std::string> models = {};
  LatencyConfig latency = {};
  std::string output = "out/studies/scatter";

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("models", models, {"What `bench latency` takes, and folders of TorchScript files (*.pt)."});
    v("latency", latency, {"How latency is measured."});
    v("output", output, {"Folder of the page and the table."});
  }
};

/// Activation functions in a plain CNN.
struct ActivationsStudy {
  std::vector<Activation> activations = all_of_enum<Activation>();
  PlainCnnConfig network = {};
  LatencyConfig latency = {};
  std::string output = "out/studies/activations";

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("activations", activations, {"The first is what the others are relative to."});
    v("network", network, {"The CNN."});
    v("latency", latency, {"How latency is measured."});
    v("output", output, {"Folder of the page and the table."});
  }
};

/// Building blocks in a plain CNN.
struct BlocksStudy {
  std::vector<Block> blocks = all_of_enum<Block>();
  int64_t branches = 4;
  PlainCnnConfig network = {};
  LatencyConfig latency = {};
  std::string output = "out/studies/blocks";

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("blocks", blocks, {"The first is what the others are relative to."});
    v("branches", branches, {"k of the train-time branches.", "branches", 1, 64});
    v("network", network, {"The CNN."});
    v("latency", latency, {"How latency is measured."});
    v("output", output, {"Folder of the page and the table."});
  }
};

/// A row of the grid of training runs.
struct BranchesCell {
  std::string name = {};
  std::vector<std::string> set = {};
  double paper = 0;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("name", name, {"Of the row, and of its runs' folders."});
    v("set", set, {"What it changes of the recipe: section.key=value."});
    v("paper", paper, {"Published ImageNet top-1 accuracy, shown beside; 0: none.", "%", 0, 100});
  }
};

/// Accuracy and training time of train-time branches and training settings.
struct BranchesStudy {
  std::string recipe = {};
  std::vector<std::string> set = {};
  std::vector<int64_t> seeds = {0, 1, 2};
  std::vector<BranchesCell> cells = {};
  std::string output = "out/studies/branches";

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("recipe", recipe,
      {"Training configuration that all runs share, relative to the working directory."});
    v("set", set, {"What all runs change of it: section.key=value."});
    v("seeds", seeds, {"Of each row's runs.", "", 0, 0x1p53});
    v("cells", cells, {"The rows; the first is what the others are compared with."});
    v("output", output, {"Folder of the page, the table and the runs."});
  }
};

/// Reads one of the studies above as `load_config` reads a run's configuration: `base:`, overrides
/// and errors are the same.
template <typename Study>
Study load_study(const std::filesystem::path& file, const std::vector<std::string>& overrides = {});

}  // namespace mobileone
