#include "mobileone/optim/loss.h"

#include <torch/nn/functional/loss.h>

namespace mobileone {
namespace F = torch::nn::functional;

torch::Tensor classification_loss(const torch::Tensor& logits, const torch::Tensor& labels,
                                  double label_smoothing) {
  const bool wide = logits.scalar_type() == torch::kFloat64;
  return F::cross_entropy(wide ? logits : logits.to(torch::kFloat32), labels,
                          F::CrossEntropyFuncOptions().label_smoothing(label_smoothing));
}

torch::Tensor mixed_classification_loss(const torch::Tensor& logits, const torch::Tensor& labels,
                                        const torch::Tensor& other_labels, double share,
                                        double label_smoothing) {
  // Cross entropy is linear in the target.
  const auto own = classification_loss(logits, labels, label_smoothing);
  if (share == 1) return own;
  const auto other = classification_loss(logits, other_labels, label_smoothing);
  return share * own + (1 - share) * other;
}

}  // namespace mobileone
