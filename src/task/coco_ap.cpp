#include "mobileone/task/coco_ap.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

namespace mobileone {
namespace {

using Bits = uint16_t;  ///< one for each overlap
using Entries = std::vector<Ranking<CocoMark, kCocoAreas>::Entry>;

constexpr size_t kOverlaps = kCocoOverlaps.size();
constexpr Bits kAllOverlaps = (1 << kOverlaps) - 1;

struct AreaRange {
  double least, most;  ///< px²
  bool has(double area) const { return area >= least && area <= most; }
};
constexpr double kLargest = 1e10;
constexpr std::array<AreaRange, kCocoAreas> kAreas = {
    {{0, kLargest}, {0, kSmallArea}, {kSmallArea, kLargeArea}, {kLargeArea, kLargest}}};

bool is_ignored(const CocoObject& object, size_t range) {
  return object.is_crowd || !kAreas[range].has(object.area);
}

/// The objects of one class in an image, and which of them are taken.
class ClassMatcher {
 public:
  ClassMatcher(std::span<const CocoObject> objects, int64_t category) : all_(objects) {
    for (size_t i = 0; i < objects.size(); ++i) {
      if (objects[i].category == category) own_.push_back(i);
    }
    taken_.resize(own_.size());
  }

  /// Lets a detection choose after those of higher scores.
  void choose(const CocoDetection& detection, CocoMatch& match) {
    find_candidates(detection);
    const double area = detection.box[2] * detection.box[3];
    for (size_t range = 0; range < kCocoAreas; ++range) {
      Bits open = kAllOverlaps;  // where it has no object yet
      for (const bool ignored : {false, true}) {
        for (const Candidate& candidate : candidates_) {
          const CocoObject& object = all_[own_[candidate.object]];
          if (is_ignored(object, range) != ignored) continue;
          Bits& taken = taken_[candidate.object][range];
          const Bits chosen = open & candidate.reached & (object.is_crowd ? kAllOverlaps : ~taken);
          taken |= chosen;
          open &= ~chosen;
          if (range == 0 && (chosen & 1) != 0) {
            match.object = static_cast<int64_t>(own_[candidate.object]);
          }
        }
        if (!ignored) match.mark.right[range] = kAllOverlaps & ~open;
      }
      match.mark.wrong[range] = kAreas[range].has(area) ? open : Bits{0};
    }
  }

 private:
  /// An object that the detection may be of.
  struct Candidate {
    double overlap;
    size_t object;  ///< among the class's
    Bits reached;   ///< the overlaps
  };

  /// The one that it overlaps most first, the later one of equal ones.
  void find_candidates(const CocoDetection& detection) {
    candidates_.clear();
    for (size_t i = 0; i < own_.size(); ++i) {
      const double overlap = coco_overlap(detection, all_[own_[i]]);
      size_t count = 0;
      while (count < kOverlaps && overlap >= kCocoOverlaps[count]) ++count;
      if (count > 0) candidates_.push_back({overlap, i, static_cast<Bits>((1 << count) - 1)});
    }
    std::sort(candidates_.begin(), candidates_.end(), [](const auto& a, const auto& b) {
      return a.overlap != b.overlap ? a.overlap > b.overlap : a.object > b.object;
    });
  }

  std::span<const CocoObject> all_;
  std::vector<size_t> own_;
  std::vector<std::array<Bits, kCocoAreas>> taken_;  // of each of the class's objects
  std::vector<Candidate> candidates_;
};

/// Precision at each right detection, in their order, by overlap.
std::array<std::vector<double>, kOverlaps> precisions(const Entries& entries, size_t range) {
  std::array<std::vector<double>, kOverlaps> result;
  std::array<int64_t, kOverlaps> judged{};
  int64_t always_wrong = 0;  // most are
  for (const auto& [score, image, place, mark] : entries) {
    const Bits right = mark.right[range], wrong = mark.wrong[range];
    if (wrong == kAllOverlaps) {
      ++always_wrong;
      continue;
    }
    for (Bits rest = right | wrong; rest != 0; rest &= rest - 1) {
      const auto i = static_cast<size_t>(std::countr_zero(rest));
      ++judged[i];
      if ((right >> i & 1) == 0) continue;
      result[i].push_back(coco_precision(std::ssize(result[i]) + 1, always_wrong + judged[i]));
    }
  }
  return result;
}

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Of the classes that have a value; NaN of none.
class ClassMean {
 public:
  void add(double value) { sum_ += value, ++count_; }
  double value() const { return sum_ / static_cast<double>(count_); }

 private:
  double sum_ = 0;
  int64_t count_ = 0;
};

/// Recall, the mean over all overlaps, of an image's `most` detections of highest scores.
double recall(const Entries& entries, int64_t most, size_t range, int64_t objects) {
  double sum = 0;
  for (size_t i = 0; i < kOverlaps; ++i) {
    const auto hits = std::ranges::count_if(entries, [&](const auto& entry) {
      return entry.place < most && (entry.mark.right[range] >> i & 1) != 0;
    });
    sum += static_cast<double>(hits) / static_cast<double>(objects);
  }
  return sum / kOverlaps;
}

}  // namespace

double coco_overlap(const CocoDetection& detection, const CocoObject& object) {
  const auto& [left, top, width, height] = detection.box;
  const auto& [other_left, other_top, other_width, other_height] = object.box;
  const double across =
      std::min(left + width, other_left + other_width) - std::max(left, other_left);
  const double down = std::min(top + height, other_top + other_height) - std::max(top, other_top);
  if (!(across > 0 && down > 0)) return 0;
  const double both = across * down, own = width * height;
  return both / (object.is_crowd ? own : own + other_width * other_height - both);
}

double coco_precision(int64_t right, int64_t judged) {
  constexpr double kSpacing = std::numeric_limits<double>::epsilon();
  return static_cast<double>(right) / (static_cast<double>(judged) + kSpacing);
}

std::array<double, kCocoRecalls> coco_curve(std::vector<double> hits, int64_t objects) {
  for (size_t i = hits.size(); i-- > 1;) hits[i - 1] = std::max(hits[i - 1], hits[i]);
  std::array<double, kCocoRecalls> curve{};
  size_t hit = 0;
  for (size_t i = 0; i < kCocoRecalls; ++i) {
    const auto recall = [&] { return static_cast<double>(hit + 1) / static_cast<double>(objects); };
    while (hit < hits.size() && recall() < 0.01 * static_cast<double>(i)) ++hit;
    if (hit < hits.size()) curve[i] = hits[hit];
  }
  return curve;
}

std::vector<CocoMatch> coco_matches(std::span<const CocoObject> objects,
                                    std::span<const CocoDetection> found) {
  std::vector<size_t> order(found.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return found[a].category != found[b].category ? found[a].category < found[b].category
                                                  : found[a].score > found[b].score;
  });
  std::vector<CocoMatch> matches;
  matches.reserve(found.size());
  size_t end = 0;
  for (size_t begin = 0; begin < order.size(); begin = end) {
    const int64_t category = found[order[begin]].category;
    while (end < order.size() && found[order[end]].category == category) ++end;
    ClassMatcher matcher(objects, category);
    for (size_t i = begin; i < std::min(end, begin + kMostCocoDetections); ++i) {
      matches.push_back({static_cast<int64_t>(order[i]), static_cast<int64_t>(i - begin)});
      matcher.choose(found[order[i]], matches.back());
    }
  }
  return matches;
}

void CocoMeter::add(int64_t image, std::span<const CocoObject> objects,
                    std::span<const CocoDetection> found) {
  for (const CocoObject& object : objects) {
    auto& counts = classes_[static_cast<size_t>(object.category)].objects;
    for (size_t range = 0; range < kCocoAreas; ++range) counts[range] += !is_ignored(object, range);
  }
  for (const CocoMatch& match : coco_matches(objects, found)) {
    const CocoDetection& detection = found[static_cast<size_t>(match.detection)];
    classes_[static_cast<size_t>(detection.category)].entries.push_back(
        {detection.score, image, match.place, match.mark});
  }
}

void CocoMeter::merge(const CocoMeter& other) {
  for (size_t i = 0; i < classes_.size(); ++i) classes_[i].merge(other.classes_[i]);
}

CocoScores CocoMeter::scores() const {
  constexpr size_t kRow = kCocoRecalls, kAt50 = 0, kAt75 = 5;
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  CocoScores scores{};
  scores.precision.assign(classes_.size() * kOverlaps * kRow, kNone);
  std::array<ClassMean, kCocoAreas> ap, ar;
  ClassMean ap50, ap75, ar1, ar10;
  for (size_t label = 0; label < classes_.size(); ++label) {
    const auto& objects = classes_[label].objects;
    const Entries entries = classes_[label].sorted();
    scores.class_objects.push_back(objects[0]);
    scores.class_detections.push_back(std::ssize(entries));
    scores.class_ap.push_back(kNone);
    scores.class_ap50.push_back(kNone);
    for (size_t range = 0; range < kCocoAreas; ++range) {
      if (objects[range] == 0) continue;
      std::vector<double> curves;
      double recalls = 0;
      for (const auto& hits : precisions(entries, range)) {
        recalls += static_cast<double>(hits.size()) / static_cast<double>(objects[range]);
        const auto curve = coco_curve(hits, objects[range]);
        curves.insert(curves.end(), curve.begin(), curve.end());
      }
      ap[range].add(mean(curves));
      ar[range].add(recalls / kOverlaps);
      if (range != 0) continue;
      scores.class_ap[label] = mean(curves);
      scores.class_ap50[label] = mean(std::span(curves).subspan(kAt50 * kRow, kRow));
      ap50.add(scores.class_ap50[label]);
      ap75.add(mean(std::span(curves).subspan(kAt75 * kRow, kRow)));
      ar1.add(recall(entries, 1, range, objects[range]));
      ar10.add(recall(entries, 10, range, objects[range]));
      std::ranges::copy(curves,
                        scores.precision.begin() + static_cast<int64_t>(label * curves.size()));
    }
  }
  scores.ap = ap[0].value(), scores.ap50 = ap50.value(), scores.ap75 = ap75.value();
  scores.ap_small = ap[1].value(), scores.ap_medium = ap[2].value();
  scores.ap_large = ap[3].value();
  scores.ar1 = ar1.value(), scores.ar10 = ar10.value(), scores.ar100 = ar[0].value();
  scores.ar_small = ar[1].value(), scores.ar_medium = ar[2].value();
  scores.ar_large = ar[3].value();
  return scores;
}

}  // namespace mobileone
