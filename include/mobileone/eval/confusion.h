#pragma once

#include <string>

#include "mobileone/eval/evaluate.h"

namespace mobileone {

/// One line per class: label, images, correct, accuracy in percent and the class it is most often
/// taken for; as CSV with a header.
std::string per_class_csv(const Evaluation& evaluation);

/// The matrix with class names as header and first column: row is the label, column the prediction.
std::string confusion_csv(const Evaluation& evaluation);

/// The matrix as a picture (SVG): each row's shares as shades of blue, with counts and names where
/// there is room for them.
std::string confusion_svg(const Evaluation& evaluation);

}  // namespace mobileone
