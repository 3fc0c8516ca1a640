#include "unit_step.h"

#include "mobileone/model/branch_stack.h"
#include "mobileone/model/method.h"
#include "mobileone/reparam/backend.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

using torch::Tensor;

/// [B',Cout] → one [Cout] a branch, in the parameters' dtype.
std::vector<Tensor> by_branch(const Tensor& stacked, const std::vector<Tensor>& like) {
  return stacked.to(like.front().scalar_type()).unbind();
}

/// Statistics of every branch from the input's moments, then one convolution.
class CovarianceStep : public UnitStep {
 public:
  CovarianceStep(const Unit& unit, const NormBatch& batch)
      : UnitStep(unit, batch), unit_(unit->options) {}

  Tensor forward(const Tensor& x) override {
    moments_ = batch_.moments(backend_of(x).convolutions(shape).moments(x, shape));
    // Small patches, as a depthwise unit's, cost nothing in double; a large covariance times all
    // branches' weights would.
    constexpr int64_t kSmallPatch = 64;
    const auto dtype =
        shape.patch_size() <= kSmallPatch ? torch::kFloat64 : tensors.weights.front().scalar_type();
    moments_ = {moments_.mean.to(dtype), moments_.covariance.to(dtype)};
    branches_ = stack_branches(unit_, tensors, dtype);
    fold_ = fold_training(branches_, moments_);
    statistics = fold_.statistics;
    kept_ = backend_of(x).convolutions(shape).forward(x, fold_.conv, /*relu=*/!se_, shape);
    return se_ ? se_->forward(kept_) : kept_;
  }

  bool output_needs_input() const override { return false; }
  Tensor output(const Tensor&) const override { return se_ ? se_->output(kept_) : kept_; }

  Tensor backward(const Tensor& x, Tensor g, bool wanted, UnitGradients& gradients) override {
    if (se_) g = se_->backward(kept_, g, gradients.squeeze_excite);
    const FoldedConv d_conv =
        backend_of(x).convolutions(shape).weight_gradient(x, se_ ? Tensor() : kept_, g, shape);
    const auto dtype = branches_.gamma.scalar_type();
    const FoldGradients d =
        fold_backward(branches_, moments_, fold_, d_conv.weight.to(dtype), d_conv.bias.to(dtype));
    gradients.weights = unpack_gradients(d.weights, unit_, tensors);
    gradients.gammas = by_branch(d.gamma, tensors.gammas);
    gradients.betas = by_branch(d.beta, tensors.betas);
    if (!wanted) return {};
    return backend_of(x).input_gradient(x, g, fold_.conv.weight, moments_,
                                        batch_.moment_gradients(d.moments), shape);
  }

 private:
  UnitOptions unit_;
  PatchMoments moments_;
  BranchStack branches_;
  TrainingFold fold_;
  Tensor kept_;  // the output; before SE, if there is one
};

/// The one convolution by itself and, fused, its batch norm, the skip's and the ReLU. Keeps the
/// convolution's output instead of its own, which costs a pass to make again.
class DirectStep : public UnitStep {
 public:
  DirectStep(const Unit& unit, const NormBatch& batch) : UnitStep(unit, batch) {
    const auto weight = pack_patches(tensors.weights.front().detach(), unit->options);
    unit_ = {weight.contiguous(), torch::stack(tensors.gammas), torch::stack(tensors.betas),
             tensors.eps};
    options_ = unit->options;
  }

  Tensor forward(const Tensor& x) override {
    kept_ = backend_of(x).convolutions(shape).forward(x, {unit_.weight, {}}, /*relu=*/false, shape);
    statistics = batch_.statistics(backend_of(x).norms.statistics(x, kept_, unit_));
    const auto z = backend_of(x).norms.output(x, kept_, unit_, statistics, /*relu=*/!se_);
    return se_ ? se_->forward(z) : z;
  }

  bool output_needs_input() const override { return unit_.skip(); }
  Tensor output(const Tensor& x) const override {
    const auto z = backend_of(x).norms.output(x, kept_, unit_, statistics, /*relu=*/!se_);
    return se_ ? se_->output(z) : z;
  }

  Tensor backward(const Tensor& x, Tensor g, bool wanted, UnitGradients& gradients) override {
    if (se_) {
      const auto z = backend_of(x).norms.output(x, kept_, unit_, statistics, /*relu=*/false);
      g = se_->backward(z, g, gradients.squeeze_excite);
    }
    const auto d = backend_of(x).norms.gradients(x, kept_, g, unit_, statistics, batch_,
                                                 /*relu=*/!se_, wanted, shape);
    gradients.weights = unpack_gradients({d.weight}, options_, tensors);
    gradients.gammas = by_branch(d.gamma, tensors.gammas);
    gradients.betas = by_branch(d.beta, tensors.betas);
    return d.x;
  }

 private:
  DirectUnit unit_;
  UnitOptions options_;
  Tensor kept_;  // the convolution's output, before its batch norm
};

}  // namespace

UnitStep::UnitStep(const Unit& unit, const NormBatch& batch)
    : tensors(unit->branch_tensors()), shape(conv_shape(unit->options)), batch_(batch) {
  if (const auto module = unit->squeeze_excite()) se_.emplace(module);
}

std::unique_ptr<UnitStep> make_unit_step(const Unit& unit, const Tensor& x,
                                         const NormBatch& batch) {
  const UnitOptions& o = unit->options;
  constexpr int64_t kLargestKernel = 7;
  const bool depthwise = o.groups == o.in_channels && o.groups == o.out_channels;
  if ((o.groups != 1 && !depthwise) || o.kernel % 2 == 0 || o.kernel > kLargestKernel) {
    throw Error(
        "{}: the folded engine trains depthwise and dense convolutions with odd kernels up to {}, "
        "not {} groups of {} channels and a kernel of {}; set runtime.engine=branches",
        o.name, kLargestKernel, o.groups, o.in_channels, o.kernel);
  }
  const int64_t pixels = o.output_size(x.size(2)) * o.output_size(x.size(3));
  if (batch.images() * pixels < 2) {
    throw Error(
        "{}: expected more than one value per channel in training, got {} image(s) with an output "
        "of {}x{}; use a larger batch or larger images",
        o.name, x.size(0), o.output_size(x.size(2)), o.output_size(x.size(3)));
  }
  std::unique_ptr<UnitStep> step;
  if (choose_method(o, batch.images_each() * pixels) == Method::kDirect) {
    step = std::make_unique<DirectStep>(unit, batch);
  } else {
    step = std::make_unique<CovarianceStep>(unit, batch);
  }
  step->positions = batch.images() * pixels;
  return step;
}

}  // namespace mobileone
