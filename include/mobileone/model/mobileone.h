#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>

#include <memory>
#include <string_view>
#include <vector>

#include "mobileone/dist/processes.h"
#include "mobileone/model/head.h"
#include "mobileone/model/options.h"
#include "mobileone/model/unit.h"

namespace mobileone {

/// MobileOne, a backbone with branches or folded, and a head. Parameters and buffers of backbone
/// and classifier carry the names and the order of Apple's published state dicts. Initialised from
/// torch's global generator.
class MobileOneImpl : public torch::nn::Module {
 public:
  explicit MobileOneImpl(NetworkOptions options);

  /// [N,Cin,H,W] → the head's first output: logits [N,num_classes] of a classifier, of
  /// segmentation [N,num_classes,H,W] (head.h).
  torch::Tensor forward(const torch::Tensor& x);
  /// All outputs of the head.
  Outputs outputs(const torch::Tensor& x);
  /// The output of each stage, finest first: four tensors [N,C_s,H_s,W_s].
  std::vector<torch::Tensor> features(const torch::Tensor& x);

  /// Takes the parameters of `parts` out of training, the others in. Frozen parts stay in
  /// evaluation mode: their units keep, and compute with, their running statistics, and a frozen
  /// head neither drops anything nor has an auxiliary output.
  void freeze(const std::vector<Part>& parts);
  void train(bool on = true) override;

  /// The backbone's, and all.
  const std::vector<Unit>& units() const { return units_; }
  std::vector<Unit> all_units() const;
  /// Null where `options.num_classes` is 0.
  const std::shared_ptr<HeadImpl>& head() const { return head_; }
  /// A classifier's layer; null for other heads.
  torch::nn::Linear linear() const;

  const NetworkOptions options;
  /// How an unfolded network trains; may change at any time. Evaluation computes each branch:
  /// `fold` once where it shall be fast. Folded networks take no notice.
  Engine engine = Engine::kFolded;
  /// The processes whose batches the folded engine's batch norms see together; null: this one's.
  const Processes* norm_processes = nullptr;

 private:
  void initialise();
  /// The outputs of the units in `outputs`, increasing indices that end with the last one to run.
  std::vector<torch::Tensor> run(const std::vector<Unit>& units, const torch::Tensor& x,
                                 const std::vector<size_t>& outputs);
  /// Likewise those of stages, from 1, of the backbone.
  std::vector<torch::Tensor> run_stages(const torch::Tensor& x, const std::vector<int64_t>& stages);

  bool is_frozen(std::string_view name) const;

  std::vector<Part> frozen_;
  std::vector<Unit> units_;  ///< stem and every stage's units in order
  std::shared_ptr<HeadImpl> head_;
};
TORCH_MODULE(MobileOne);

/// The same function as `network` in evaluation mode, with one convolution per unit: branches are
/// folded with their running statistics, in float64, and rounded once. What only training has, an
/// auxiliary head, is left out. A folded network is copied.
MobileOne fold(const MobileOne& network);

}  // namespace mobileone
