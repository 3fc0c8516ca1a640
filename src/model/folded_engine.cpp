#include "mobileone/model/folded_engine.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_lerp.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <iterator>
#include <map>
#include <memory>
#include <utility>

#include "mobileone/util/error.h"
#include "mobileone/util/profile.h"
#include "unit_step.h"

namespace mobileone {
namespace {

using torch::Tensor;
using torch::autograd::variable_list;

Tensor channels_last(const Tensor& image) {
  return image.contiguous(torch::MemoryFormat::ChannelsLast);
}

/// Appends a unit's parameters in the order of UnitGradients.
void append_parameters(const Unit& unit, variable_list& parameters) {
  const BranchTensors tensors = unit->branch_tensors();
  for (const auto* group : {&tensors.weights, &tensors.gammas, &tensors.betas}) {
    parameters.insert(parameters.end(), group->begin(), group->end());
  }
  if (const auto se = unit->squeeze_excite()) {
    for (const auto& parameter : se->parameters()) parameters.push_back(parameter);
  }
}

/// A chain of units between its forward and its backward pass.
class Chain : public torch::CustomClassHolder {
 public:
  std::vector<Tensor> forward(const std::vector<Unit>& units, const Tensor& x,
                              const std::vector<size_t>& outputs) {
    x_ = channels_last(x);
    outputs_ = outputs;
    std::vector<Tensor> results;
    Tensor y = x_;
    for (const auto& unit : units) {
      auto step = make_unit_step(unit, y);
      y = step->forward(y);
      if (results.size() < outputs.size() && steps_.size() == outputs[results.size()]) {
        results.push_back(y);
      }
      steps_.push_back(std::move(step));
    }
    update_running_statistics(units);
    return results;
  }

  /// The gradient of x, if wanted, and of all parameters, from those of the outputs.
  variable_list backward(const variable_list& output_gradients, bool x_wanted) {
    if (steps_.empty()) {
      throw Error("the folded engine's backward pass runs once a forward pass; it ran already");
    }
    std::vector<variable_list> unit_gradients(steps_.size());
    Tensor g;
    size_t output = outputs_.size();
    for (size_t i = steps_.size(); i-- > 0;) {
      if (output > 0 && outputs_[output - 1] == i) add_output(output_gradients[--output], g);
      if (!g.defined()) {
        throw Error("the folded engine's last output took no part in the loss");
      }
      UnitGradients d;
      g = steps_[i]->backward(input(i), g, i > 0 || x_wanted, d);
      for (auto* group : {&d.weights, &d.gammas, &d.betas, &d.squeeze_excite}) {
        std::move(group->begin(), group->end(), std::back_inserter(unit_gradients[i]));
      }
      inputs_.erase(i);
      steps_[i].reset();
    }
    steps_.clear();
    variable_list gradients{g};
    for (auto& own : unit_gradients) {
      std::move(own.begin(), own.end(), std::back_inserter(gradients));
    }
    return gradients;
  }

 private:
  /// The input of unit i, made again if the unit before it kept something else.
  const Tensor& input(size_t i) {
    const auto found = inputs_.find(i);
    if (found != inputs_.end()) return found->second;
    return inputs_[i] = i == 0 ? x_ : steps_[i - 1]->output(input(i - 1));
  }

  /// Adds the gradient of an output to that which came from the units behind it. The chain writes
  /// into its gradients, so it never works on the caller's own.
  static void add_output(const Tensor& from_outside, Tensor& g) {
    if (!from_outside.defined()) return;
    if (g.defined()) {
      g.add_(from_outside);
    } else {
      g = from_outside.clone(torch::MemoryFormat::ChannelsLast);
    }
  }

  /// Running statistics of all branches in a few operations for the whole chain.
  void update_running_statistics(const std::vector<Unit>& units) const {
    const Span span("running statistics");
    std::vector<Tensor> running, batch, counters;
    double momentum = 0;
    for (size_t i = 0; i < units.size(); ++i) {
      const BranchTensors tensors = units[i]->branch_tensors();
      const double n = static_cast<double>(steps_[i]->positions);
      const auto dtype = tensors.means.front().scalar_type();
      const auto& [mean, var] = steps_[i]->statistics;
      const auto means = mean.to(dtype).unbind(), vars = (var * (n / (n - 1))).to(dtype).unbind();
      const auto append = [](std::vector<Tensor>& to, const std::vector<Tensor>& from) {
        to.insert(to.end(), from.begin(), from.end());
      };
      append(running, tensors.means), append(batch, means);
      append(running, tensors.vars), append(batch, vars);
      append(counters, tensors.counters);
      momentum = tensors.momentum;
    }
    at::_foreach_lerp_(running, batch, momentum);
    at::_foreach_add_(counters, 1);
  }

  std::vector<std::unique_ptr<UnitStep>> steps_;
  std::vector<size_t> outputs_;
  std::map<size_t, Tensor> inputs_;
  Tensor x_;
};

/// The node of autograd: a chain as a function of x and of all parameters of its units.
class ChainFunction : public torch::autograd::Function<ChainFunction> {
 public:
  static variable_list forward(torch::autograd::AutogradContext* context,
                               const std::vector<Unit>& units, const std::vector<size_t>& outputs,
                               at::TensorList x_and_parameters) {
    auto chain = c10::make_intrusive<Chain>();
    const Tensor& x = x_and_parameters.front();
    const auto device = x.device().type();
    const bool autocast = at::autocast::is_autocast_enabled(device);
    c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    auto results = chain->forward(
        units, autocast ? x.to(at::autocast::get_autocast_dtype(device)) : x, outputs);
    context->saved_data["chain"] = c10::IValue::make_capsule(chain);
    context->set_materialize_grads(false);
    return results;
  }

  static variable_list backward(torch::autograd::AutogradContext* context,
                                const variable_list& output_gradients) {
    auto* chain = static_cast<Chain*>(context->saved_data["chain"].toCapsule().get());
    variable_list gradients(2);  // none of the units and outputs
    auto own = chain->backward(output_gradients, context->needs_input_grad(0));
    std::move(own.begin(), own.end(), std::back_inserter(gradients));
    return gradients;
  }
};

}  // namespace

std::vector<Tensor> train_folded(const std::vector<Unit>& units, const Tensor& x,
                                 const std::vector<size_t>& outputs) {
  variable_list inputs{x};
  for (const auto& unit : units) append_parameters(unit, inputs);
  return ChainFunction::apply(units, outputs, at::TensorList(inputs));
}

}  // namespace mobileone
