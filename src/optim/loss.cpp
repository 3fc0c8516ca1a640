#include "mobileone/optim/loss.h"

#include <ATen/Parallel.h>
#include <ATen/ops/bincount.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_bilinear2d_backward.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/nn/functional/loss.h>
#include <torch/types.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "mobileone/kernels/pixel_loss.h"
#include "mobileone/util/error.h"
#include "mobileone/util/profile.h"

namespace mobileone {
namespace F = torch::nn::functional;

namespace {

/// Pixels of each class, [kIgnoredClass], where there are `classes`.
torch::Tensor class_counts(const torch::Tensor& masks, int64_t classes) {
  const auto counts = torch::bincount(masks.flatten(), /*weights=*/{}, kIgnoredClass + 1)
                          .narrow(0, 0, kIgnoredClass)
                          .cpu();
  if (classes < kIgnoredClass && counts.slice(0, classes).any().item<bool>()) {
    throw Error("a mask has a class {}, the network {} classes",
                classes + counts.slice(0, classes).nonzero()[0].item<int64_t>(), classes);
  }
  return counts;
}

double weight_of(const torch::Tensor& counts, const torch::Tensor& class_weights) {
  if (!class_weights.defined()) return static_cast<double>(counts.sum().item<int64_t>());
  const int64_t classes = std::min(class_weights.size(0), counts.size(0));
  return (counts.slice(0, 0, classes) * class_weights.slice(0, 0, classes).cpu())
      .sum(torch::kFloat64)
      .item<double>();
}

/// By LibTorch's operations, which keep several tensors of the resized logits' size.
torch::Tensor sum_of_losses(const torch::Tensor& logits, const torch::Tensor& masks,
                            const torch::Tensor& weights, double label_smoothing) {
  const auto resized =
      at::upsample_bilinear2d(logits, masks.sizes().slice(1), /*align_corners=*/false);
  return F::cross_entropy(resized, masks.to(torch::kInt64),
                          F::CrossEntropyFuncOptions()
                              .weight(weights)
                              .ignore_index(kIgnoredClass)
                              .reduction(torch::kSum)
                              .label_smoothing(label_smoothing));
}

/// The sum of the losses of an image's pixels. Adds their gradient to `gradient`, laid out as the
/// logits, [classes,rows,width of the mask].
template <typename T>
double image_loss(const torch::Tensor& logits, const torch::Tensor& mask,
                  const torch::Tensor& weights, double label_smoothing,
                  const torch::Tensor& gradient) {
  const kernels::PixelLoss<T> loss{logits.size(0),
                                   logits.size(1),
                                   mask.size(0),
                                   mask.size(1),
                                   logits.const_data_ptr<T>(),
                                   mask.const_data_ptr<uint8_t>(),
                                   weights.const_data_ptr<T>(),
                                   static_cast<T>(label_smoothing)};
  std::vector<double> sums(static_cast<size_t>(loss.strips()));
  at::parallel_for(0, loss.strips(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t strip = begin; strip < end; ++strip) {
      sums[static_cast<size_t>(strip)] =
          kernels::pixel_loss(loss, strip, strip + 1, gradient.data_ptr<T>());
    }
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

/// The same by the kernel that resizes as it goes: widths are resized image by image, heights never
/// stored. Its gradient is computed with it, and is of the logits' own size.
class PixelLossFunction : public torch::autograd::Function<PixelLossFunction> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& logits, const torch::Tensor& masks,
                               const torch::Tensor& weights, double label_smoothing) {
    const Span span("segmentation loss");
    const auto own = logits.contiguous(), own_masks = masks.contiguous();
    const auto own_weights = weights.contiguous();
    const int64_t rows = own.size(2);
    const std::vector<int64_t> wide{rows, masks.size(2)};
    auto gradient = torch::empty_like(own);
    double sum = 0;
    for (int64_t n = 0; n < own.size(0); ++n) {
      const auto image = own.narrow(0, n, 1);
      const auto resized = at::upsample_bilinear2d(image, wide, /*align_corners=*/false);
      const auto resized_gradient = torch::zeros_like(resized);
      sum += logits.scalar_type() == torch::kFloat64
                 ? image_loss<double>(resized[0], own_masks[n], own_weights, label_smoothing,
                                      resized_gradient)
                 : image_loss<float>(resized[0], own_masks[n], own_weights, label_smoothing,
                                     resized_gradient);
      gradient.narrow(0, n, 1).copy_(at::upsample_bilinear2d_backward(
          resized_gradient, wide, image.sizes(), /*align_corners=*/false));
    }
    context->save_for_backward({gradient});
    return torch::full({}, sum, logits.options());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    return {context->get_saved_variables().front() * gradients.front(), {}, {}, {}};
  }
};

}  // namespace

torch::Tensor classification_loss(const torch::Tensor& logits, const torch::Tensor& labels,
                                  double label_smoothing, const torch::Tensor& class_weights) {
  const auto dtype = logits.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  auto options = F::CrossEntropyFuncOptions().label_smoothing(label_smoothing);
  if (class_weights.defined()) options.weight(class_weights.to(dtype));
  return F::cross_entropy(logits.to(dtype), labels, options);
}

torch::Tensor mixed_classification_loss(const torch::Tensor& logits, const torch::Tensor& labels,
                                        const torch::Tensor& other_labels, double mixture_weight,
                                        double label_smoothing,
                                        const torch::Tensor& class_weights) {
  // Cross entropy is linear in the target.
  const auto own = classification_loss(logits, labels, label_smoothing, class_weights);
  if (mixture_weight == 1) return own;
  const auto other = classification_loss(logits, other_labels, label_smoothing, class_weights);
  const double ratio =
      total_weight(other_labels, class_weights) / total_weight(labels, class_weights);
  return mixture_weight * own + (1 - mixture_weight) * ratio * other;
}

torch::Tensor segmentation_loss(const torch::Tensor& logits, const torch::Tensor& masks,
                                double label_smoothing, const torch::Tensor& class_weights) {
  const auto dtype = logits.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  const auto weights = class_weights.defined()
                           ? class_weights.to(dtype)
                           : torch::ones({logits.size(1)}, logits.options().dtype(dtype));
  const double weight = weight_of(class_counts(masks, logits.size(1)), class_weights);
  const auto wide = logits.to(dtype);
  const auto sum = logits.is_cpu() ? PixelLossFunction::apply(wide, masks, weights, label_smoothing)
                                   : sum_of_losses(wide, masks, weights, label_smoothing);
  return sum / (weight > 0 ? weight : 1);
}

double segmentation_weight(const torch::Tensor& masks, const torch::Tensor& class_weights) {
  return weight_of(class_counts(masks, kIgnoredClass), class_weights);
}

double total_weight(const torch::Tensor& labels, const torch::Tensor& class_weights) {
  if (!class_weights.defined()) return static_cast<double>(labels.size(0));
  return class_weights.index_select(0, labels).sum().item<double>();
}

}  // namespace mobileone
