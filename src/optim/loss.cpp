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

}  // namespace mobileone
