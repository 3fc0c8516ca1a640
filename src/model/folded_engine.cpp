#include "mobileone/model/folded_engine.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_lerp.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
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

void append(const std::vector<Tensor>& from, std::vector<Tensor>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

/// The steps of a chain of units between its forward and its backward pass, shared by its nodes.
class Chain : public torch::CustomClassHolder {
 public:
  Chain(const Tensor& x, const Processes* processes) : batch_(x.size(0), x.device(), processes) {}

  Tensor forward(const Unit& unit, const Tensor& x) {
    if (steps_.empty()) first_input_ = x;
    steps_.push_back(make_unit_step(unit, x, batch_));
    return steps_.back()->forward(x);
  }

  /// Running statistics of all branches in a few operations for the whole chain.
  void update_running_statistics() const {
    const Span span("running statistics");
    std::vector<Tensor> running, batch, counters;
    double momentum = 0;
    for (const auto& step : steps_) {
      const BranchTensors& tensors = step->tensors;
      const double n = static_cast<double>(step->positions);
      const auto dtype = tensors.means.front().scalar_type();
      const auto& [mean, var] = step->statistics;
      append(tensors.means, running), append(mean.to(dtype).unbind(), batch);
      append(tensors.vars, running), append((var * (n / (n - 1))).to(dtype).unbind(), batch);
      append(tensors.counters, counters);
      momentum = tensors.momentum;
    }
    at::_foreach_lerp_(running, batch, momentum);
    at::_foreach_add_(counters, 1);
  }

  /// The gradients of unit i's input, if wanted, and of its parameters; overwrites g. Units end
  /// from last to first, and what they kept goes with them.
  variable_list backward(size_t i, const Tensor& g, bool input_wanted) {
    if (steps_[i] == nullptr) {
      throw Error("the folded engine's backward pass runs once a forward pass; it ran already");
    }
    UnitGradients d;
    variable_list gradients{steps_[i]->backward(input(i), g, input_wanted, d)};
    for (const auto* group : {&d.weights, &d.gammas, &d.betas, &d.squeeze_excite}) {
      append(*group, gradients);
    }
    inputs_.erase(i);
    steps_[i].reset();
    return gradients;
  }

 private:
  /// The input of unit i, made again if the unit before it kept something else.
  const Tensor& input(size_t i) {
    if (i == 0) return first_input_;
    const auto found = inputs_.find(i);
    if (found != inputs_.end()) return found->second;
    const UnitStep& before = *steps_[i - 1];
    return inputs_[i] = before.output(before.output_needs_input() ? input(i - 1) : Tensor());
  }

  const NormBatch batch_;
  std::vector<std::unique_ptr<UnitStep>> steps_;
  std::map<size_t, Tensor> inputs_;
  Tensor first_input_;
};

/// A node of autograd: one unit of a chain as a function of its input and all its parameters.
class UnitFunction : public torch::autograd::Function<UnitFunction> {
 public:
  /// `exposed`: the caller sees the output, and with it the gradient that comes back to it.
  static Tensor forward(torch::autograd::AutogradContext* context, const Unit& unit,
                        const c10::intrusive_ptr<Chain>& chain, int64_t index, bool exposed,
                        at::TensorList x_and_parameters) {
    c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    const auto y = chain->forward(unit, x_and_parameters.front());
    context->saved_data["chain"] = c10::IValue::make_capsule(chain);
    context->saved_data["index"] = index;
    context->saved_data["exposed"] = exposed;
    // The chain keeps y, and the output's history the chain: no cycle, please.
    return y.variable_data();
  }

  static variable_list backward(torch::autograd::AutogradContext* context,
                                const variable_list& output_gradients) {
    auto* chain = static_cast<Chain*>(context->saved_data["chain"].toCapsule().get());
    // Steps write into their gradients, never into the caller's.
    const auto& from_outside = output_gradients.front();
    const auto g = context->saved_data["exposed"].toBool()
                       ? from_outside.clone(torch::MemoryFormat::ChannelsLast)
                       : from_outside;
    variable_list gradients(4);  // none of the unit, chain, index and exposure
    const auto index = static_cast<size_t>(context->saved_data["index"].toInt());
    append(chain->backward(index, g, context->needs_input_grad(0)), gradients);
    return gradients;
  }
};

/// A unit's parameters in the order of UnitGradients.
variable_list parameters_of(const Unit& unit) {
  const BranchTensors tensors = unit->branch_tensors();
  variable_list parameters;
  for (const auto* group : {&tensors.weights, &tensors.gammas, &tensors.betas}) {
    append(*group, parameters);
  }
  if (const auto se = unit->squeeze_excite()) append(se->parameters(), parameters);
  return parameters;
}

}  // namespace

std::vector<Tensor> train_folded(const std::vector<Unit>& units, const Tensor& x,
                                 const std::vector<size_t>& outputs, const Processes* processes) {
  const auto device = x.device().type();
  Tensor y = x;
  if (at::autocast::is_autocast_enabled(device)) {
    y = y.to(at::autocast::get_autocast_dtype(device));
  }
  y = y.contiguous(torch::MemoryFormat::ChannelsLast);
  const auto chain = c10::make_intrusive<Chain>(y, processes);
  std::vector<Tensor> results;
  for (size_t i = 0; i < units.size(); ++i) {
    const bool exposed = std::find(outputs.begin(), outputs.end(), i) != outputs.end();
    variable_list inputs = parameters_of(units[i]);
    inputs.insert(inputs.begin(), y);
    y = UnitFunction::apply(units[i], chain, static_cast<int64_t>(i), exposed,
                            at::TensorList(inputs));
    if (exposed) results.push_back(y);
  }
  torch::NoGradGuard no_grad;
  chain->update_running_statistics();
  return results;
}

}  // namespace mobileone
