#include "mobileone/optim/loss.h"

#include <ATen/ops/index_select.h>
#include <torch/nn/functional/loss.h>

namespace mobileone {
namespace F = torch::nn::functional;

torch::Tensor classification_loss(const torch::Tensor& logits, const torch::Tensor& labels,
                                  double label_smoothing, const torch::Tensor& class_weights) {
  const auto dtype = logits.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  auto options = F::CrossEntropyFuncOptions().label_smoothing(label_smoothing);
  if (class_weights.defined()) options.weight(class_weights.to(dtype));
  return F::cross_entropy(logits.to(dtype), labels, options);
}

torch::Tensor mixed_classification_loss(const torch::Tensor& logits, const torch::Tensor& labels,
                                        const torch::Tensor& other_labels, double share,
                                        double label_smoothing,
                                        const torch::Tensor& class_weights) {
  // Cross entropy is linear in the target.
  const auto own = classification_loss(logits, labels, label_smoothing, class_weights);
  if (share == 1) return own;
  const auto other = classification_loss(logits, other_labels, label_smoothing, class_weights);
  const double ratio =
      total_weight(other_labels, class_weights) / total_weight(labels, class_weights);
  return share * own + (1 - share) * ratio * other;
}

double total_weight(const torch::Tensor& labels, const torch::Tensor& class_weights) {
  if (!class_weights.defined()) return static_cast<double>(labels.size(0));
  return class_weights.index_select(0, labels).sum().item<double>();
}

}  // namespace mobileone
