#include "mobileone/data/imagenet.h"

namespace mobileone {
namespace {

struct IdAndName {
  const char* id;
  const char* name;
};

constexpr IdAndName kImageNetClasses[] = {
#include "imagenet_classes.inc"
};

}  // namespace

const ImageNetClasses& imagenet_classes() {
  static const ImageNetClasses classes = [] {
    ImageNetClasses made;
    for (const auto& [id, name] : kImageNetClasses) {
      made.ids.emplace_back(id);
      made.names.emplace_back(name);
    }
    return made;
  }();
  return classes;
}

}  // namespace mobileone
