#include "logits.h"

#include <fmt/ranges.h>
#include <torch/utils.h>

#include "mobileone/optim/runtime.h"
#include "mobileone/util/error.h"

namespace mobileone {

torch::Tensor logits_of(const Model& model, const torch::Tensor& images, Precision precision,
                        int64_t classes) {
  if (model.exported && precision != Precision::kFloat32) {
    throw Error(
        "{}: is {}, which computes in the precision that it was exported in; --precision "
        "is for checkpoints",
        model.origin, model.form);
  }
  const torch::NoGradGuard no_grad;
  const PrecisionGuard guard(model.device, precision);
  const auto logits = model.forward(images.to(model.device));
  const bool fits = logits.dim() == 2 && logits.size(0) == images.size(0) && logits.size(1) > 0 &&
                    (classes == 0 || logits.size(1) == classes) && logits.is_floating_point();
  if (fits) return logits.to(torch::kCPU, torch::kFloat32);
  throw Error("{}: gives an output of [{}] for {} image(s), expected logits [{}, {}]", model.origin,
              fmt::join(logits.sizes(), ", "), images.size(0), images.size(0),
              classes == 0 ? "classes" : std::to_string(classes));
}

std::string class_name_of(const Model& model, int64_t index) {
  return index < static_cast<int64_t>(model.class_names.size()) ? model.class_names[index]
                                                                : std::to_string(index);
}

}  // namespace mobileone
