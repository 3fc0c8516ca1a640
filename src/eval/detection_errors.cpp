#include "mobileone/eval/detection_errors.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <tuple>

#include "mobileone/task/coco_ap.h"

namespace mobileone {
namespace {

constexpr double kFound = kCocoOverlaps[0], kTouched = 0.1;
constexpr size_t kNothing = std::numeric_limits<size_t>::max();

/// An object of any image.
struct Sought {
  int64_t label;
  bool is_found = false, is_missed = false;
};

/// A detection that is judged, or what mends an object that was missed.
struct Judged {
  double score;
  int64_t image, place;  // by which COCO orders equal scores
  int64_t label;
  std::optional<DetectionError> error;  // nothing: right
  size_t object = kNothing;             // that it is meant for, among those of all images
};

struct Wrong {
  DetectionError error;
  size_t object = kNothing;  // of the image, that it overlaps most
};

Wrong reason(const CocoDetection& detection, std::span<const CocoObject> objects) {
  struct Best {
    double overlap = 0;
    size_t object = kNothing;
  } own, other;
  for (size_t i = 0; i < objects.size(); ++i) {
    if (objects[i].is_crowd) continue;
    const double overlap = coco_overlap(detection, objects[i]);
    Best& best = objects[i].category == detection.category ? own : other;
    if (overlap > best.overlap) best = {overlap, i};
  }
  if (own.overlap >= kFound) return {DetectionError::kDuplicate};
  if (other.overlap >= kFound) return {DetectionError::kClass, other.object};
  if (own.overlap >= kTouched) return {DetectionError::kLocalization, own.object};
  return {other.overlap >= kTouched ? DetectionError::kBoth : DetectionError::kBackground};
}

/// AP50 of detections in the order of their scores, where one kind of error is mended.
double ap50(int64_t classes, const std::vector<Judged>& ranking, std::vector<Sought> objects,
            std::optional<DetectionError> mended) {
  struct OfClass {
    int64_t objects = 0, judged = 0;
    std::vector<double> hits = {};
  };
  std::vector<OfClass> all(static_cast<size_t>(classes));
  const auto add = [&](int64_t label, bool is_right) {
    OfClass& own = all[static_cast<size_t>(label)];
    ++own.judged;
    if (is_right) own.hits.push_back(coco_precision(std::ssize(own.hits) + 1, own.judged));
  };
  for (const Sought& object : objects) {
    ++all[static_cast<size_t>(object.label)].objects;
    if (mended == DetectionError::kMissed && object.is_missed) add(object.label, true);
  }
  for (const Judged& each : ranking) {
    if (!each.error || each.error != mended) {
      add(each.label, !each.error);
    } else if (each.object != kNothing && !objects[each.object].is_found) {
      objects[each.object].is_found = true;
      add(objects[each.object].label, true);
    }
  }
  double sum = 0, present = 0;
  for (const OfClass& own : all) {
    if (own.objects == 0) continue;
    for (const double precision : coco_curve(own.hits, own.objects)) sum += precision;
    present += kCocoRecalls;
  }
  return sum / present;
}

}  // namespace

DetectionErrors find_detection_errors(int64_t classes, std::span<const DetectedImage> images) {
  DetectionErrors result;
  std::vector<Sought> objects;
  std::vector<Judged> ranking;
  for (const DetectedImage& image : images) {
    std::vector<size_t> numbers;  // of its objects among all
    std::vector<bool> is_meant(image.objects.size());
    for (const CocoObject& object : image.objects) {
      numbers.push_back(object.is_crowd ? kNothing : objects.size());
      if (!object.is_crowd) objects.push_back({object.category});
    }
    double cost = 0;
    for (const CocoMatch& match : coco_matches(image.objects, image.found)) {
      const CocoDetection& detection = image.found[static_cast<size_t>(match.detection)];
      Judged judged{detection.score, image.id, match.place, detection.category, {}};
      if ((match.mark.right[0] & 1) != 0) {
        objects[numbers[static_cast<size_t>(match.object)]].is_found = true;
      } else if ((match.mark.wrong[0] & 1) != 0) {
        const Wrong wrong = reason(detection, image.objects);
        judged.error = wrong.error;
        if (wrong.object != kNothing) {
          judged.object = numbers[wrong.object];
          is_meant[wrong.object] = true;
        }
        ++result.kinds[static_cast<size_t>(wrong.error)].count;
        cost += detection.score;
      } else {
        continue;
      }
      ranking.push_back(judged);
    }
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (numbers[i] == kNothing || objects[numbers[i]].is_found || is_meant[i]) continue;
      objects[numbers[i]].is_missed = true;
      ++result.kinds[static_cast<size_t>(DetectionError::kMissed)].count;
      cost += 1;
    }
    result.image_costs.push_back(cost);
  }
  std::ranges::sort(ranking, {}, [](const Judged& each) {
    return std::tuple(-each.score, each.image, each.place);
  });
  const double now = ap50(classes, ranking, objects, std::nullopt);
  for (size_t i = 0; i < result.kinds.size(); ++i) {
    result.kinds[i].cost = ap50(classes, ranking, objects, static_cast<DetectionError>(i)) - now;
  }
  return result;
}

}  // namespace mobileone
