#pragma once

#include <torch/types.h>

namespace mobileone {

/// Cross entropy with label smoothing (Szegedy et al. 2016), the mean over a batch, computed in at
/// least float32. `logits` [N,classes], `labels` int64 [N]. With `class_weights` [classes] it is as
/// PyTorch's CrossEntropyLoss(weight=...): images, and the classes that smoothing spreads to, weigh
/// as their class does, and the mean is over the labels' weights.
torch::Tensor classification_loss(const torch::Tensor& logits, const torch::Tensor& labels,
                                  double label_smoothing, const torch::Tensor& class_weights = {});

/// The same where an image is a mixture of two (data/mix.h): `mixture_weight` of the target is
/// `labels`', the rest `other_labels`', each smoothed as above. The mean is over the weights of
/// `labels`.
torch::Tensor mixed_classification_loss(const torch::Tensor& logits, const torch::Tensor& labels,
                                        const torch::Tensor& other_labels, double mixture_weight,
                                        double label_smoothing,
                                        const torch::Tensor& class_weights = {});

/// The value of a mask's pixel that the loss does not count.
inline constexpr int64_t kIgnoredClass = 255;

/// Cross entropy of each pixel, the mean over those that are not kIgnoredClass; 0, with gradients
/// of 0, where there is none. `logits` [N,classes,h,w] of any size, resized bilinearly (corners not
/// aligned) to the masks', uint8 [N,H,W]; computed in at least float32. Label smoothing and
/// `class_weights` as above. Keeps nothing of the logits' resized size for the backward pass.
torch::Tensor segmentation_loss(const torch::Tensor& logits, const torch::Tensor& masks,
                                double label_smoothing = 0,
                                const torch::Tensor& class_weights = {});

/// What that mean divides by: the pixels that count, or the sum of their classes' weights.
double segmentation_weight(const torch::Tensor& masks, const torch::Tensor& class_weights = {});

/// What the first two means divide by: the sum of the labels' weights, their number where classes
/// have none.
double total_weight(const torch::Tensor& labels, const torch::Tensor& class_weights);

}  // namespace mobileone
