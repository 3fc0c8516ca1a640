#include "mobileone/model/unfold.h"

#include <torch/types.h>
#include <torch/utils.h>

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

/// Of the inputs of every unit.
std::vector<PatchMoments> input_moments(const MobileOne& folded,
                                        const std::vector<Tensor>& batches) {
  const auto parameter = folded->parameters().front();
  std::vector<MomentSums> sums(folded->units().size());
  for (const auto& images : batches) {
    Tensor x = images.to(parameter.device(), parameter.scalar_type());
    for (size_t i = 0; i < sums.size(); ++i) {
      Unit unit = folded->units()[i];
      x = x.contiguous(torch::MemoryFormat::ChannelsLast);
      sums[i].add(backend_of(x).moments(x, conv_shape(unit->options)),
                  static_cast<double>(x.size(0)));
      x = unit->forward(x);
    }
  }
  std::vector<PatchMoments> moments;
  for (const auto& sum : sums) moments.push_back(sum.moments());
  return moments;
}

void unfold_unit(const Unit& unit, const Tensor& weight, const Tensor& bias,
                 const PatchMoments& moments) {
  const BranchTensors tensors = unit->branch_tensors();
  torch::Tensor(tensors.weights.front()).copy_(weight);
  const auto branches = stack_branches(unit->options, tensors, torch::kFloat64);
  const auto [mean, var] = fold_training(branches, moments).statistics;
  for (size_t i = 0; i < tensors.gammas.size(); ++i) {
    torch::Tensor(tensors.means[i]).copy_(mean[static_cast<int64_t>(i)]);
    torch::Tensor(tensors.vars[i]).copy_(var[static_cast<int64_t>(i)]);
    torch::Tensor(tensors.gammas[i]).zero_();
    torch::Tensor(tensors.betas[i]).zero_();
  }
  // Of the statistics as they were rounded.
  torch::Tensor(tensors.gammas.front())
      .copy_((tensors.vars.front().to(torch::kFloat64) + tensors.eps).sqrt());
  torch::Tensor(tensors.betas.front()).copy_(bias.to(torch::kFloat64) + tensors.means.front());
}

}  // namespace

void unfold(const MobileOne& folded, const std::vector<Tensor>& batches, MobileOne& network) {
  torch::NoGradGuard no_grad;
  const StateDict from = state_dict(*folded);
  const auto moments = input_moments(folded, batches);
  for (size_t i = 0; i < moments.size(); ++i) {
    const Unit& unit = network->units()[i];
    const std::string conv = unit->options.name + ".reparam_conv.";
    unfold_unit(unit, from[conv + "weight"], from[conv + "bias"], moments[i]);
  }
  for (auto& item : state_dict(*network)) {
    if (const auto* same = from.find(item.key())) item.value().copy_(*same);  // SE, the classifier
  }
}

}  // namespace mobileone
