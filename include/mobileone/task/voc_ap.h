#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mobileone/data/object.h"
#include "mobileone/dist/processes.h"
#include "mobileone/task/ranking.h"

namespace mobileone {

/// What Pascal VOC's evaluation says: shares from 0 to 1; NaN where there is no object to find.
struct VocScores {
  /// Mean over the classes. 2007: the mean of the highest precision at recalls of 0, 0.1, ..., 1 or
  /// beyond. From 2010 on: the area under the precision made monotonous.
  double map07, map;
  std::vector<double> class_ap07, class_ap;
};

/// Collects how the detections of images did, by the rules of VOC's development kit
/// (VOCevaldet.m). Each detection, the highest score first, is compared with the object of its
/// class that it overlaps most (the earlier one of equal ones): it is right where they overlap by
/// 0.5 or more and the object was not found yet; where the object is difficult it is not judged,
/// else wrong. Difficult objects need not be found; crowds are treated alike.
///
/// The kit's boxes are of whole pixels from 1, ends included, so that widths are xmax − xmin + 1: a
/// Box from xmin − 1 to xmax, as they are read, has that width. Recalls are multiples of 0.1 as a
/// double has it, of which three are beyond the decimal (0.30000000000000004), as numpy's `arange`
/// makes them in the Python versions of this evaluation.
///
/// Images may come in any order and to any process; the scores are the same bits.
class VocMeter {
 public:
  explicit VocMeter(int64_t classes) : classes_(static_cast<size_t>(classes)) {}

  /// `image` is a number of its own for each image, by which equal scores are ordered; labels are
  /// below the number of classes.
  void add(int64_t image, std::span<const Object> objects, std::span<const Detection> found);
  /// Adds what the other processes have seen.
  void sum_over(const Processes& processes) { mobileone::sum_over(processes, classes_); }

  VocScores scores() const;

 private:
  enum class Mark { kRight, kWrong, kNotJudged };

  std::vector<Ranking<Mark>> classes_;
};

}  // namespace mobileone
