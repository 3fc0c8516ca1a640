#include "mobileone/task/pixel_confusion.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "mobileone/data/annotation.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double percent(int64_t part, int64_t whole) {
  return whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : kNone;
}

}  // namespace

PixelConfusion::PixelConfusion(int64_t classes)
    : counts_(at::zeros({classes, classes}, at::kLong)) {}

void PixelConfusion::add(const at::Tensor& predicted, const at::Tensor& labels) {
  const auto judged = labels.ne(kIgnored);
  const auto truth = labels.masked_select(judged).to(at::kLong);
  if (truth.numel() == 0) return;
  const int64_t highest = truth.max().item<int64_t>();
  if (highest >= classes()) {
    throw Error("a mask has label {}, expected less than the {} classes of the network", highest,
                classes());
  }
  const auto guess = predicted.masked_select(judged).to(at::kLong);
  counts_ += at::bincount(truth * classes() + guess, {}, classes() * classes()).view_as(counts_);
}

void PixelConfusion::sum_over(const Processes& processes) {
  // Whole numbers that a double holds exactly, up to 9e15 pixels.
  const auto own = counts_.to(at::kDouble);
  const auto all =
      processes.sums({own.const_data_ptr<double>(), own.const_data_ptr<double>() + own.numel()});
  counts_ = at::tensor(all, at::kDouble).to(at::kLong).view_as(counts_);
}

int64_t PixelConfusion::pixels() const { return counts_.sum().item<int64_t>(); }

std::vector<double> PixelConfusion::class_iou() const {
  const auto hits = counts_.diagonal(), either = counts_.sum(0) + counts_.sum(1) - hits;
  std::vector<double> iou;
  for (int64_t i = 0; i < classes(); ++i) {
    iou.push_back(percent(hits[i].item<int64_t>(), either[i].item<int64_t>()));
  }
  return iou;
}

double PixelConfusion::miou() const {
  auto iou = class_iou();
  std::erase_if(iou, [](double value) { return std::isnan(value); });
  return iou.empty() ? kNone : std::accumulate(iou.begin(), iou.end(), 0.0) / std::ssize(iou);
}

double PixelConfusion::pixel_accuracy() const {
  return percent(counts_.diagonal().sum().item<int64_t>(), pixels());
}

}  // namespace mobileone
