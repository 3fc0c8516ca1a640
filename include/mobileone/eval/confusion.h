#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mobileone/eval/evaluate.h"

namespace mobileone {

struct ClassAccuracy {
  int64_t label;
  int64_t images;  ///< at least 1
  int64_t correct;
  int64_t mistaken_for;  ///< the most frequent wrong prediction; -1 if there is none

  double percent() const { return 100.0 * correct / images; }
};

/// By label; classes without images are left out.
std::vector<ClassAccuracy> per_class(const Evaluation& evaluation);

/// One line per class: label, images, correct, accuracy in percent and the class it is most often
/// taken for; as CSV with a header.
std::string per_class_csv(const Evaluation& evaluation);

/// The matrix with class names as header and first column: row is the label, column the prediction.
std::string confusion_csv(const Evaluation& evaluation);

/// The matrix as a picture (SVG): each row's shares as shades of blue, with counts and names where
/// there is room for them. The shades grow with the root of the share, so that rare mistakes show.
std::string confusion_svg(const Evaluation& evaluation);

}  // namespace mobileone
