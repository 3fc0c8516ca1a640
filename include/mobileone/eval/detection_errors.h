#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "mobileone/data/coco.h"
#include "mobileone/data/coco_results.h"

namespace mobileone {

/// What is in an image, and what was found there.
struct DetectedImage {
  int64_t id = 0;  ///< COCO's number of it
  std::vector<CocoObject> objects = {};
  std::vector<CocoDetection> found = {};
};

/// What a detection that COCO's evaluation takes for wrong at an overlap (intersection over union)
/// of 0.5, over all areas, is the matter with: the first of these that is so. Crowds are no objects
/// here.
enum class DetectionError {
  kDuplicate,     ///< overlaps an object of its class by 0.5 or more, which a surer one has found
  kClass,         ///< overlaps an object of another class by 0.5 or more
  kLocalization,  ///< overlaps an object of its class by 0.1 or more
  kBoth,          ///< overlaps an object of another class by 0.1 or more
  kBackground,    ///< overlaps nothing by 0.1
  /// No detection, but an object that was not found, and that no detection of wrong class or place
  /// overlaps most.
  kMissed,
};
inline constexpr std::array kDetectionErrors = {"duplicate", "class",      "localization",
                                                "both",      "background", "missed"};

/// What keeps detections from being right, in the spirit of TIDE (Bolya et al., ECCV 2020).
struct DetectionErrors {
  struct Kind {
    int64_t count = 0;
    /// By how much AP50, a share, would be higher if only these were mended: duplicates and what is
    /// of both kinds or of the background are left out; wrong in class or place alone, a detection
    /// counts as right, with its score and in the class of the object that it overlaps most, if
    /// that was not found and no surer one of these is of it, else it is left out; what was missed
    /// is found before all else. NaN without objects.
    double cost = 0;
  };
  std::array<Kind, kDetectionErrors.size()> kinds;  ///< by DetectionError
  /// Of each image the scores of wrong detections, summed, and the objects that were missed: the
  /// images of the highest are worth a look.
  std::vector<double> image_costs;
};

/// Labels are below `classes`.
DetectionErrors find_detection_errors(int64_t classes, std::span<const DetectedImage> images);

}  // namespace mobileone
