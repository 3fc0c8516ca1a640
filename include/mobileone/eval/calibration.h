#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mobileone/eval/evaluate.h"

namespace mobileone {

/// The images whose confidence, the probability of the predicted class, lies in (from, to]. All in
/// percent; the means are NaN where there are no images.
struct CalibrationBin {
  double from, to;
  int64_t images = 0;
  double confidence = 0;  ///< mean
  double accuracy = 0;
};

struct Calibration {
  std::vector<CalibrationBin> bins;  ///< of equal width, from 0 to 100 %
  int64_t images = 0;                ///< in them: those with finite logits
  double ece = 0;                    ///< percent; NaN without images
};

/// The expected calibration error (Guo et al., ICML 2017, equations 2, 3 and 5): the bins'
/// distances of accuracy and confidence, weighted by their images.
Calibration calibrate(const std::vector<ImageResult>& images, int64_t bins = 15);

/// One line per bin, in percent, as CSV with a header.
std::string calibration_csv(const Calibration& calibration);

/// Accuracy over confidence, a point per bin that has images, and the diagonal; as SVG.
std::string reliability_svg(const Calibration& calibration);

/// The share of the images in each bin; as SVG.
std::string confidence_svg(const Calibration& calibration);

}  // namespace mobileone
