#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mobileone/eval/evaluate.h"

namespace mobileone {

// What is counted here takes memory by images and classes, never by classes². As scikit-learn has
// it, a score whose denominator is 0 is 0.

/// So many images of a label are predicted to be of a class.
struct ConfusionCount {
  int64_t label;
  int64_t prediction;
  int64_t images;  ///< at least 1
};

/// The entries of the confusion matrix that are not 0, by label and then prediction.
std::vector<ConfusionCount> confusion_counts(const std::vector<ImageResult>& images);

struct ConfusedPair : ConfusionCount {
  double share;  ///< of the label's images, percent
};

/// Those beside the diagonal, most images first, as many as `most`.
std::vector<ConfusedPair> most_confused(const std::vector<ImageResult>& images, size_t most);

struct ClassScores {
  int64_t label;
  int64_t images;        ///< at least 1
  int64_t predicted;     ///< images predicted to be of it
  int64_t correct;       ///< images that are both
  int64_t mistaken_for;  ///< the most frequent wrong prediction; -1 if there is none

  double recall() const { return 100.0 * correct / images; }  ///< percent, as all that follow
  double precision() const { return predicted > 0 ? 100.0 * correct / predicted : 0; }
  double f1() const { return 200.0 * correct / (images + predicted); }
};

/// By label; classes without images are left out.
std::vector<ClassScores> per_class(const std::vector<ImageResult>& images);

/// Percent; 0 without images.
struct MeanScores {
  double balanced_accuracy = 0;  ///< mean recall of the classes that have images
  /// Means over the classes that have images or are predicted ("macro").
  double precision = 0, recall = 0, f1 = 0;
};
MeanScores mean_scores(const std::vector<ImageResult>& images);

/// A line per class: label, images, correct, precision, recall, F1 and the class it is most often
/// taken for; as CSV with a header.
std::string per_class_csv(const Evaluation& evaluation);

/// A line per pair of classes that are confused, most images first: label, prediction, images and
/// their share of the label's in percent; as CSV with a header.
std::string confused_pairs_csv(const Evaluation& evaluation);

/// Of more classes the matrix is not written, and of more than the latter not drawn.
inline constexpr size_t kMostMatrixClasses = 1000, kMostDrawnClasses = 100;

/// The matrix with class names as header and first column: row is the label, column the prediction.
std::string confusion_csv(const Evaluation& evaluation);

/// The matrix as a picture (SVG): each row's shares as shades of blue, with names, and counts where
/// there is room for them. The shades grow with the root of the share, so that rare mistakes show.
std::string confusion_svg(const Evaluation& evaluation);
/// The same of counts by any other unit.
std::string confusion_svg(const std::vector<std::string>& names,
                          const std::vector<ConfusionCount>& counts);

}  // namespace mobileone
