#include "mobileone/task/voc_ap.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace mobileone {
namespace {

constexpr double kOverlap = 0.5;

/// Precision and recall after each judged detection.
struct PrecisionRecall {
  std::vector<double> precision, recall;
};

double ap07(const PrecisionRecall& curve) {
  constexpr int kRecalls = 11;
  double sum = 0;
  for (int i = 0; i < kRecalls; ++i) {
    double highest = 0;
    for (size_t j = 0; j < curve.recall.size(); ++j) {
      if (curve.recall[j] >= 0.1 * i) highest = std::max(highest, curve.precision[j]);
    }
    sum += highest / kRecalls;
  }
  return sum;
}

double ap10(PrecisionRecall curve) {
  auto& [precision, recall] = curve;
  for (size_t i = precision.size(); i-- > 1;) {
    precision[i - 1] = std::max(precision[i - 1], precision[i]);
  }
  double area = 0, last = 0;
  for (size_t i = 0; i < recall.size(); ++i) {
    area += (recall[i] - last) * precision[i];
    last = recall[i];
  }
  return area;
}

/// Of the classes that have a value; NaN of none.
double mean_of_numbers(std::vector<double> values) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

void VocMeter::add(int64_t image, std::span<const Object> objects,
                   std::span<const Detection> found) {
  const auto is_counted = [](const Object& object) { return !object.difficult && !object.crowd; };
  for (const Object& object : objects) {
    classes_[static_cast<size_t>(object.label)].objects[0] += is_counted(object);
  }
  std::vector<size_t> order(found.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::greater(), [&](size_t i) { return found[i].score; });
  std::vector<bool> taken(objects.size());
  for (size_t place = 0; place < order.size(); ++place) {
    const auto& [box, label, score] = found[order[place]];
    double most = 0;
    size_t best = 0;
    for (size_t i = 0; i < objects.size(); ++i) {
      const double overlap = objects[i].label == label ? iou(box, objects[i].box) : 0;
      if (overlap > most) most = overlap, best = i;
    }
    Mark mark = Mark::kWrong;
    if (most >= kOverlap) {
      if (!is_counted(objects[best])) {
        mark = Mark::kNotJudged;
      } else if (!taken[best]) {
        mark = Mark::kRight;
        taken[best] = true;
      }
    }
    classes_[static_cast<size_t>(label)].entries.push_back(
        {score, image, static_cast<int64_t>(place), mark});
  }
}

VocScores VocMeter::scores() const {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  VocScores scores{};
  for (const auto& ranking : classes_) {
    const int64_t objects = ranking.objects[0];
    PrecisionRecall curve;
    double right = 0, judged = 0;
    for (const auto& entry : ranking.sorted()) {
      if (entry.mark == Mark::kNotJudged) continue;
      right += entry.mark == Mark::kRight;
      judged += 1;
      curve.precision.push_back(right / judged);
      curve.recall.push_back(right / static_cast<double>(objects));
    }
    scores.class_ap07.push_back(objects > 0 ? ap07(curve) : kNone);
    scores.class_ap.push_back(objects > 0 ? ap10(curve) : kNone);
  }
  scores.map07 = mean_of_numbers(scores.class_ap07);
  scores.map = mean_of_numbers(scores.class_ap);
  return scores;
}

}  // namespace mobileone
