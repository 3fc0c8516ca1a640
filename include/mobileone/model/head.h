#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mobileone/model/options.h"
#include "mobileone/model/unit.h"

namespace mobileone {

/// What a network computes: the main output first.
using Outputs = std::vector<torch::Tensor>;

/// Runs a chain of units as the network is told to train (engine, frozen parts) or evaluates them.
using ChainRunner = std::function<torch::Tensor(const std::vector<Unit>&, const torch::Tensor&)>;

/// What makes a backbone's features a task's outputs. Its layers are those of `head_table`, so that
/// fold, engine and freezing need to know of units only.
class HeadImpl : public torch::nn::Module {
 public:
  /// Under which the network registers it.
  virtual std::string name() const = 0;
  /// Those whose features `forward` takes, from 1, increasing; may depend on the mode.
  virtual std::vector<int64_t> stages() const = 0;
  /// features: [N,C_s,H_s,W_s] of each stage; `image_size`: height and width of the image.
  virtual Outputs forward(const std::vector<torch::Tensor>& features, at::IntArrayRef image_size,
                          const ChainRunner& run) = 0;
  virtual std::vector<Unit> units() const { return {}; }
  /// Draws the weights of what it ends in, anew; those of all convolutions have been.
  virtual void initialise() {}
};

/// ClassifierOptions: one output, logits [N,classes].
class ClassifierImpl : public HeadImpl {
 public:
  explicit ClassifierImpl(const NetworkOptions& network);
  std::string name() const override { return "linear"; }
  std::vector<int64_t> stages() const override { return {last_stage_}; }
  Outputs forward(const std::vector<torch::Tensor>& features, at::IntArrayRef image_size,
                  const ChainRunner& run) override;
  void initialise() override;

  /// Its parameters are the head's own, by Apple's keys: "linear.weight", "linear.bias".
  const torch::nn::Linear linear;

 private:
  int64_t last_stage_;
};

/// DeepLabOptions. In evaluation logits [N,classes,H,W] at the image's size, resized bilinearly
/// (corners not aligned). In training logits [N,classes,H_4,W_4] at the size of the last stage's
/// map, and with an auxiliary head its logits [N,classes,H_3,W_3]: `segmentation_loss`
/// (optim/loss.h) resizes them likewise, but keeps nothing of the image's size.
class DeepLabImpl : public HeadImpl {
 public:
  explicit DeepLabImpl(const NetworkOptions& network);
  std::string name() const override { return "head"; }
  std::vector<int64_t> stages() const override;
  Outputs forward(const std::vector<torch::Tensor>& features, at::IntArrayRef image_size,
                  const ChainRunner& run) override;
  std::vector<Unit> units() const override { return units_; }

 private:
  int64_t last_stage_;
  std::vector<Unit> units_;
  std::vector<std::vector<Unit>> branches_;  ///< of ASPP, but for the pooling one
  Unit pooling_{nullptr}, project_{nullptr}, auxiliary_{nullptr};
  torch::nn::Conv2d classify_{nullptr}, auxiliary_classify_{nullptr};
  torch::nn::Dropout2d dropout_, auxiliary_dropout_;
};

/// SsdLiteOptions. One output [N,A,4+1+classes], of each of the A anchors of `ssd_anchors`
/// (anchors.h) the offsets of its box, then logits of the background and of each class.
class SsdLiteImpl : public HeadImpl {
 public:
  explicit SsdLiteImpl(const NetworkOptions& network);
  std::string name() const override { return "head"; }
  std::vector<int64_t> stages() const override { return stages_; }
  Outputs forward(const std::vector<torch::Tensor>& features, at::IntArrayRef image_size,
                  const ChainRunner& run) override;
  std::vector<Unit> units() const override { return units_; }
  void initialise() override;

 private:
  /// What makes a level's classes, or boxes, of its map.
  struct Branch {
    std::vector<Unit> units;
    torch::nn::Conv2d conv{nullptr};
    int64_t outputs = 0;  ///< of an anchor
  };
  struct Level {
    std::vector<Unit> extra;   ///< that make its map of that of the level before; or none
    std::vector<Unit> shared;  ///< by its branches
    Branch boxes, classes;
  };

  std::vector<int64_t> stages_;
  std::vector<Unit> units_;
  std::vector<Level> levels_;
};

/// The head that `network.head` describes; null where `network.num_classes` is 0.
std::shared_ptr<HeadImpl> make_head(const NetworkOptions& network);

}  // namespace mobileone
