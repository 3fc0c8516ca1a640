#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "mobileone/data/coco.h"
#include "mobileone/data/coco_results.h"
#include "mobileone/dist/processes.h"
#include "mobileone/task/ranking.h"

namespace mobileone {

// COCO's evaluation of boxes (COCOeval of pycocotools, to the last bit but for the order of sums),
// with one difference: an annotation whose id is 0 counts as found where it is, which pycocotools
// takes for not found.

/// Intersection over union at which a detection is of an object: COCO's ten, as numpy computes
/// them.
inline constexpr std::array kCocoOverlaps = {
    0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.8999999999999999, 0.95};
/// The recalls at which precision is taken: 0, 0.01, ..., 1.
inline constexpr size_t kCocoRecalls = 101;
/// Of an image's detections of a class, how many of the highest scores are judged.
inline constexpr size_t kMostCocoDetections = 100;

/// All objects; those smaller than 32² px, from there to 96² px, larger. Bounds belong to both
/// sides. Objects' areas are those of their annotations, detections' those of their boxes.
inline constexpr size_t kCocoAreas = 4;

/// What a detection is at each overlap (bit i is `kCocoOverlaps[i]`), where objects of each range
/// of areas are looked for. Neither right nor wrong: not judged, since it is of a crowd, or it or
/// its object is not of the range.
struct CocoMark {
  std::array<uint16_t, kCocoAreas> right{}, wrong{};
};

/// How a detection of an image did.
struct CocoMatch {
  int64_t detection;    ///< its index
  int64_t place;        ///< among the image's detections of its class, the highest score first
  int64_t object = -1;  ///< its object, or crowd, at the least overlap in all areas; -1: none
  CocoMark mark{};
};

/// Intersection over union of a detection's box and an object's; where that is a crowd, the share
/// of the detection that is within.
double coco_overlap(const CocoDetection& detection, const CocoObject& object);

/// Matches the detections of an image with its objects: the highest score chooses first (equal ones
/// in their order), and takes the object of its class that it overlaps most (the later one of equal
/// ones) among those that are still to be found and of the range of areas; a crowd, or an object
/// beyond the range, only if there is none, a crowd any number of times. Class by class, the
/// highest score first; what is beyond `kMostCocoDetections` of a class is left out.
std::vector<CocoMatch> coco_matches(std::span<const CocoObject> objects,
                                    std::span<const CocoDetection> found);

/// The highest precision at each of the recalls or beyond, of a class with so many objects; `hits`
/// is the precision at each right detection, the highest score first.
std::array<double, kCocoRecalls> coco_curve(std::vector<double> hits, int64_t objects);

/// Precision where so many of the judged detections are right: numpy's spacing(1) is added to the
/// divisor, which shows in 1 / 1.
double coco_precision(int64_t right, int64_t judged);

/// Shares from 0 to 1; NaN (pycocotools: -1) where there is no object to find.
struct CocoScores {
  double ap, ap50, ap75;  ///< average precision, over all overlaps and at two of them
  double ap_small, ap_medium, ap_large;  ///< by areas
  double ar1, ar10, ar100;  ///< average recall of so many detections an image and class
  double ar_small, ar_medium, ar_large;  ///< of 100

  std::vector<double> class_ap, class_ap50;
  std::vector<int64_t> class_objects;     ///< to be found of each class, crowds not among them
  std::vector<int64_t> class_detections;  ///< of each class, 100 an image at most
  /// [classes, 10, 101]: the highest precision at each recall or beyond, all areas; 0 beyond the
  /// recall that is reached; NaN of classes without objects.
  std::vector<double> precision;

  /// The 101 of a class at an overlap.
  std::span<const double> curve(int64_t label, size_t overlap) const {
    const size_t row = static_cast<size_t>(label) * kCocoOverlaps.size() + overlap;
    return std::span(precision).subspan(row * kCocoRecalls, kCocoRecalls);
  }
};

/// The twelve numbers by their names, in COCO's order.
inline constexpr std::array<std::pair<const char*, double CocoScores::*>, 12> kCocoNumbers = {
    {{"ap", &CocoScores::ap},
     {"ap50", &CocoScores::ap50},
     {"ap75", &CocoScores::ap75},
     {"ap_small", &CocoScores::ap_small},
     {"ap_medium", &CocoScores::ap_medium},
     {"ap_large", &CocoScores::ap_large},
     {"ar1", &CocoScores::ar1},
     {"ar10", &CocoScores::ar10},
     {"ar100", &CocoScores::ar100},
     {"ar_small", &CocoScores::ar_small},
     {"ar_medium", &CocoScores::ar_medium},
     {"ar_large", &CocoScores::ar_large}}};

/// Collects how the detections of images did. Images may come in any order and to any process; the
/// scores are the same bits.
class CocoMeter {
 public:
  explicit CocoMeter(int64_t classes) : classes_(static_cast<size_t>(classes)) {}

  /// `image` is the image's id, different for each, by which COCO orders equal scores; categories
  /// are below the number of classes.
  void add(int64_t image, std::span<const CocoObject> objects,
           std::span<const CocoDetection> found);
  void merge(const CocoMeter& other);
  /// Adds what the other processes have seen.
  void sum_over(const Processes& processes) { mobileone::sum_over(processes, classes_); }

  CocoScores scores() const;

 private:
  std::vector<Ranking<CocoMark, kCocoAreas>> classes_;
};

}  // namespace mobileone
