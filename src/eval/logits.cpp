#include "logits.h"

#include <fmt/ranges.h>
#include <torch/utils.h>

#include "mobileone/optim/runtime.h"
#include "mobileone/util/error.h"

namespace mobileone {

torch::Tensor output_of(const Model& model, const torch::Tensor& images, Precision precision) {
  if (model.exported && precision != Precision::kFloat32) {
    throw Error(
        "{}: is {}, which computes in the precision that it was exported in; --precision is for "
        "checkpoints",
        model.origin, model.form);
  }
  const torch::NoGradGuard no_grad;
  const PrecisionGuard guard(model.device, precision);
  return model.forward(images.to(model.device));
}

namespace {

/// Logits of `dims` dimensions, on the CPU. Throws Error if they are none; `form` says what was
/// expected beside the number of images and of classes.
torch::Tensor require_logits(const Model& model, const torch::Tensor& logits, int64_t images,
                             int64_t classes, int64_t dims, const char* form) {
  const bool fits = logits.dim() == dims && logits.size(0) == images && logits.size(1) > 0 &&
                    (classes == 0 || logits.size(1) == classes) && logits.is_floating_point();
  if (fits) return logits.to(torch::kCPU, torch::kFloat32);
  throw Error("{}: gives an output of [{}] for {} image(s), expected logits [{}, {}{}]",
              model.origin, fmt::join(logits.sizes(), ", "), images, images,
              classes == 0 ? "classes" : std::to_string(classes), form);
}

}  // namespace

torch::Tensor logits_of(const Model& model, const torch::Tensor& images, Precision precision,
                        int64_t classes) {
  return require_logits(model, output_of(model, images, precision), images.size(0), classes, 2, "");
}

torch::Tensor dense_logits_of(const Model& model, const torch::Tensor& images, Precision precision,
                              int64_t classes) {
  return require_logits(model, output_of(model, images, precision), images.size(0), classes, 4,
                        ", height, width");
}

}  // namespace mobileone
