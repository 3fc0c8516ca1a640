#pragma once

#include <torch/types.h>

namespace mobileone {

/// Cross entropy with label smoothing (Szegedy et al. 2016), the mean over a batch, computed in at
/// least float32. `logits` [N,classes], `labels` int64 [N].
torch::Tensor classification_loss(const torch::Tensor& logits, const torch::Tensor& labels,
                                  double label_smoothing);

/// The same where an image is a mixture of two (data/mix.h): `share` of the target is `labels`',
/// the rest `other_labels`', each smoothed as above.
torch::Tensor mixed_classification_loss(const torch::Tensor& logits, const torch::Tensor& labels,
                                        const torch::Tensor& other_labels, double share,
                                        double label_smoothing);

}  // namespace mobileone
