#pragma once

#include <torch/types.h>

#include "mobileone/config/config.h"
#include "mobileone/eval/model.h"

namespace mobileone {

/// What the model puts out for images, on its device, computed in `precision` without gradients.
/// Throws Error where it computes in another one only.
torch::Tensor output_of(const Model& model, const torch::Tensor& images, Precision precision);

/// The model's logits of `images`, float32 [N,3,H,W] on any device: float32 [N,classes] on the CPU,
/// computed in `precision` without gradients. Throws Error where the model gives something else;
/// `classes` 0: as many as there are.
torch::Tensor logits_of(const Model& model, const torch::Tensor& images, Precision precision,
                        int64_t classes = 0);

/// The same of a network that gives each pixel a class: float32 [N,classes,H,W] on the CPU.
torch::Tensor dense_logits_of(const Model& model, const torch::Tensor& images, Precision precision,
                              int64_t classes = 0);

}  // namespace mobileone
