#include "mobileone/model/unfold.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "mobileone/model/branch_stack.h"
#include "mobileone/model/state_dict.h"
#include "mobileone/reparam/backend.h"
#include "mobileone/reparam/fold.h"

namespace mobileone {
namespace {

using torch::Tensor;

/// The moments of all patches of several batches.
class MomentSums {
 public:
  void add(const PatchMoments& moments, double weight) {
    mean_ = plus(mean_, moments.mean * weight);
    square_ = plus(square_, (moments.covariance + outer(moments.mean)) * weight);
    weight_ += weight;
  }

  PatchMoments moments() const {
    const auto mean = mean_ / weight_;
    return {mean, square_ / weight_ - outer(mean)};
  }

 private:
  static Tensor plus(const Tensor& sum, const Tensor& term) {
    return sum.defined() ? sum + term : term;
  }
  static Tensor outer(const Tensor& mean) { return mean.unsqueeze(2) * mean.unsqueeze(1); }

  Tensor mean_, square_;
  double weight_ = 0;
};

/// Mean and variance of what a unit's branches put out, over its inputs in several batches.
class BranchSums {
 public:
  /// `unit` has branches.
  explicit BranchSums(Unit unit) : unit_(std::move(unit)) {}

  void add(const Tensor& image) {
    const auto x = image.contiguous(torch::MemoryFormat::ChannelsLast);
    const auto weight = static_cast<double>(x.size(0));
    const ConvShape shape = conv_shape(unit_->options);
    if (!is_one_convolution())
      return moments_.add(backend_of(x).convolutions(shape).moments(x, shape), weight);
    const auto kernel = pack_patches(unit_->branch_tensors().weights.front(), unit_->options);
    const auto y = backend_of(x).convolutions(shape).forward(x, {kernel.contiguous(), {}},
                                                             /*relu=*/false, shape);
    const auto [var, mean] = torch::var_mean(y.to(torch::kFloat64), {0, 2, 3}, /*unbiased=*/false);
    moments_.add({mean.unsqueeze(1), var.view({-1, 1, 1})}, weight);
  }

  BranchStatistics statistics() const {
    const PatchMoments moments = moments_.moments();
    if (is_one_convolution()) return {moments.mean.t(), moments.covariance.flatten(1).t()};
    const auto branches = stack_branches(unit_->options, unit_->branch_tensors(), torch::kFloat64);
    return fold_training(branches, moments).statistics;
  }

 private:
  /// Whose patches may be too large for a covariance, and whose output tells as much.
  bool is_one_convolution() const { return unit_->branch_tensors().gammas.size() == 1; }

  Unit unit_;
  MomentSums moments_;
};

/// Statistics as training will see them, and an affine part that undoes them for the first branch.
void set_norms(const BranchTensors& tensors, const BranchStatistics& statistics,
               const Tensor& bias) {
  for (size_t i = 0; i < tensors.gammas.size(); ++i) {
    torch::Tensor(tensors.means[i]).copy_(statistics.mean[static_cast<int64_t>(i)]);
    torch::Tensor(tensors.vars[i]).copy_(statistics.var[static_cast<int64_t>(i)]);
    torch::Tensor(tensors.gammas[i]).zero_();
    torch::Tensor(tensors.betas[i]).zero_();
  }
  // Of the statistics as they were rounded.
  torch::Tensor(tensors.gammas.front())
      .copy_((tensors.vars.front().to(torch::kFloat64) + tensors.eps).sqrt());
  torch::Tensor(tensors.betas.front()).copy_(bias.to(torch::kFloat64) + tensors.means.front());
}

/// Calls see(name, input) for each unit of the folded network as it computes `images`.
void watch_units(MobileOne folded, const Tensor& images,
                 const std::function<void(const std::string&, const Tensor&)>& see) {
  const auto parameter = folded->parameters().front();
  const ChainRunner run = [&](const std::vector<Unit>& units, const Tensor& input) {
    Tensor x = input;
    for (Unit unit : units) {
      x = x.contiguous(torch::MemoryFormat::ChannelsLast);
      see(unit->options.name, x);
      x = unit->forward(x);
    }
    return x;
  };
  Tensor x = images.to(parameter.device(), parameter.scalar_type());
  std::map<Part, Tensor> maps;
  for (const auto& unit : folded->units()) {
    maps[part_of(unit->options.name)] = x = run({unit}, x);
  }
  if (!folded->head()) return;
  std::vector<Tensor> features;
  for (const int64_t stage : folded->head()->stages()) {
    features.push_back(maps.at(static_cast<Part>(stage)));
  }
  folded->head()->forward(features, images.sizes().slice(2), run);
}

}  // namespace

void unfold(const MobileOne& folded, const std::vector<Tensor>& batches, MobileOne& network) {
  torch::NoGradGuard no_grad;
  const StateDict from = state_dict(*folded);
  std::map<std::string, BranchSums> sums;  // of the units that both have
  for (const auto& unit : network->all_units()) {
    const std::string& name = unit->options.name;
    const auto* weight = from.find(name + ".reparam_conv.weight");
    if (weight == nullptr) continue;
    unit->branch_tensors().weights.front().copy_(*weight);
    sums.emplace(name, unit);
  }
  for (const auto& images : batches) {
    watch_units(folded, images, [&](const std::string& name, const Tensor& x) {
      if (const auto found = sums.find(name); found != sums.end()) found->second.add(x);
    });
  }
  for (const auto& unit : network->all_units()) {
    const auto found = sums.find(unit->options.name);
    if (found == sums.end()) continue;
    set_norms(unit->branch_tensors(), found->second.statistics(),
              from[unit->options.name + ".reparam_conv.bias"]);
  }
  for (auto& item : state_dict(*network)) {
    if (const auto* same = from.find(item.key())) item.value().copy_(*same);  // SE, last layers
  }
}

}  // namespace mobileone
