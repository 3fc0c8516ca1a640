#pragma once

#include <torch/types.h>

namespace mobileone {

/// Cross entropy with label smoothing (Szegedy et al. 2016), the mean over a batch, computed in at
/// least float32. `logits` [N,classes], `labels` int64 [N].
torch::Tensor classification_loss(const torch::Tensor& logits, const torch::Tensor& labels,
                                  double label_smoothing);

}  // namespace mobileone
