#pragma once

#include <string>
#include <vector>

namespace mobileone {

/// The 1,000 classes of ImageNet (ILSVRC2012) in the order of published classifiers, which is that
/// of their sorted WordNet ids.
struct ImageNetClasses {
  std::vector<std::string> ids;    ///< as the class folders are called: "n01440764"
  std::vector<std::string> names;  ///< WordNet's first word for each, made unique: "tench"
};

const ImageNetClasses& imagenet_classes();

}  // namespace mobileone
