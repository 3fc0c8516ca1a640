#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mobileone/eval/model.h"

namespace mobileone {

/// What tables say of a network on a set, whatever its task.
struct Judgement {
  struct Class {
    std::string name, extent;
    double score;  ///< percent; NaN where the set has nothing of the class
  };

  std::vector<std::string> header, row;  ///< measures of the whole
  /// What a class's extent and score are: "images" and "recall", or "pixels, %" and "IoU".
  std::string extent, score;
  std::vector<Class> classes;  ///< in the same order for every network on one set
};

/// Evaluates a network on its config's data.val, or on other data of the kind. Throws Error as
/// evaluation does.
using Judge = std::function<Judgement(const Model& model, const std::string& data)>;

Judgement judge_classification(const Model& model, const std::string& data);
Judgement judge_segmentation(const Model& model, const std::string& data);
Judgement judge_detection(const Model& model, const std::string& data);

}  // namespace mobileone
