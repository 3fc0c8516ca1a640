#include "mobileone/optim/detection_loss.h"

#include <torch/nn/functional/loss.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "mobileone/model/anchors.h"
#include "mobileone/util/profile.h"

namespace mobileone {
namespace F = torch::nn::functional;
using torch::Tensor;

AnchorMatcher::AnchorMatcher(const SsdLiteOptions& head, int64_t height, int64_t width,
                             double positive_iou)
    : variances_(head.variances),
      positive_iou_(positive_iou),
      anchors_(ssd_anchors(head, height, width)),
      edges_(anchor_boxes(anchors_)) {}

SsdTargets AnchorMatcher::operator()(std::span<const LabelledBox> boxes) const {
  constexpr int32_t kNone = -1;
  std::vector<double> most(edges_.size(), 0);
  std::vector<int32_t> chosen(edges_.size(), kNone);
  std::vector<size_t> best_anchors;  // of each box
  for (size_t b = 0; b < boxes.size(); ++b) {
    size_t best = 0;
    double best_iou = -1;
    for (size_t a = 0; a < edges_.size(); ++a) {
      const double overlap = iou(edges_[a], boxes[b].box);
      if (overlap > best_iou) best = a, best_iou = overlap;
      if (overlap > most[a]) most[a] = overlap, chosen[a] = static_cast<int32_t>(b);
    }
    best_anchors.push_back(best);
  }
  for (size_t a = 0; a < edges_.size(); ++a) {
    if (most[a] < positive_iou_) chosen[a] = kNone;
  }
  for (size_t b = 0; b < boxes.size(); ++b) chosen[best_anchors[b]] = static_cast<int32_t>(b);

  const auto count = static_cast<int64_t>(edges_.size());
  SsdTargets targets{torch::zeros({count}, torch::kInt64), torch::zeros({count, 4})};
  auto* labels = targets.labels.mutable_data_ptr<int64_t>();
  auto* offsets = targets.offsets.mutable_data_ptr<float>();
  const double* anchor = anchors_.const_data_ptr<double>();
  const auto [of_centre, of_side] = variances_;
  for (int64_t a = 0; a < count; ++a, anchor += 4, offsets += 4) {
    if (chosen[a] == kNone) continue;
    const auto& [box, label] = boxes[chosen[a]];
    labels[a] = 1 + label;
    offsets[0] = static_cast<float>((box.center_x() - anchor[0]) / anchor[2] / of_centre);
    offsets[1] = static_cast<float>((box.center_y() - anchor[1]) / anchor[3] / of_centre);
    offsets[2] = static_cast<float>(std::log(box.width() / anchor[2]) / of_side);
    offsets[3] = static_cast<float>(std::log(box.height() / anchor[3]) / of_side);
  }
  return targets;
}

namespace {

/// bool [N,A]: the anchors without an object that count, the hardest of each image.
Tensor hardest_negatives(const Tensor& logits, const Tensor& positive, const DetectConfig& detect) {
  const torch::NoGradGuard no_grad;
  const auto background = logits.logsumexp(2) - logits.select(2, 0);  // its cross entropy
  const auto losses = background.masked_fill(positive, -std::numeric_limits<double>::infinity());
  const auto wanted = (positive.sum(1).to(torch::kFloat64) * detect.negatives)
                          .floor()
                          .clamp_min(static_cast<double>(detect.min_negatives));
  const auto order = losses.argsort(/*stable=*/true, /*dim=*/1, /*descending=*/true);
  const auto ranks = torch::empty_like(order).scatter_(
      1, order, torch::arange(order.size(1), order.options()).expand_as(order));
  return ranks.lt(wanted.unsqueeze(1)).logical_and(positive.logical_not());
}

Tensor sum_of_cross_entropies(const Tensor& logits, const Tensor& labels, double label_smoothing) {
  return F::cross_entropy(
      logits, labels,
      F::CrossEntropyFuncOptions().reduction(torch::kSum).label_smoothing(label_smoothing));
}

/// Lin et al. 2017, equation 4, of the softmax's probabilities.
Tensor sum_of_focal_losses(const Tensor& logits, const Tensor& labels, double gamma,
                           double label_smoothing) {
  const auto losses = F::cross_entropy(
      logits, labels,
      F::CrossEntropyFuncOptions().reduction(torch::kNone).label_smoothing(label_smoothing));
  const auto right = logits.log_softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1).exp();
  return ((1 - right).pow(gamma) * losses).sum();
}

}  // namespace

Tensor detection_loss(const Tensor& outputs, const Tensor& labels, const Tensor& offsets,
                      const DetectConfig& detect, double label_smoothing) {
  const Span span("detection loss");
  const auto wide =
      outputs.scalar_type() == torch::kFloat64 ? outputs : outputs.to(torch::kFloat32);
  const auto rows = wide.flatten(0, 1), all_labels = labels.flatten();
  const auto positive = labels.gt(0);
  const auto objects = positive.flatten().nonzero().squeeze(1);
  const auto boxes = rows.index_select(0, objects).slice(1, 0, 4);
  const auto truth = offsets.flatten(0, 1).index_select(0, objects).to(boxes.dtype());
  auto sum = F::smooth_l1_loss(
      boxes, truth, F::SmoothL1LossFuncOptions().reduction(torch::kSum).beta(detect.smooth_l1));
  if (detect.focal > 0) {
    sum = sum + sum_of_focal_losses(rows.slice(1, 4), all_labels, detect.focal, label_smoothing);
  } else {
    const auto negative = hardest_negatives(wide.slice(2, 4), positive, detect);
    const auto counted = positive.logical_or(negative).flatten().nonzero().squeeze(1);
    sum = sum + sum_of_cross_entropies(rows.index_select(0, counted).slice(1, 4),
                                       all_labels.index_select(0, counted), label_smoothing);
  }
  return sum / detection_weight(labels);
}

double detection_weight(const Tensor& labels) {
  return std::max<double>(1, labels.gt(0).sum().item<double>());
}

}  // namespace mobileone
