#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mobileone/data/image_list.h"

namespace mobileone {

/// The classes that a network, or the set of images it is trained on, tells apart.
struct KnownClasses {
  std::vector<std::string> names;  ///< by class; empty where they are numbers only
  int64_t count;
  std::string origin;  ///< for messages
};

/// A list with its labels made the known classes, of which it may have a part:
/// - names are matched by name; ImageNet's class folders, named by id, are the classes that
///   published weights name in words;
/// - names that are all integers, of which none is a known name, are the indices of known classes;
/// - names where no known class has one are taken in their order, and have to be as many;
/// - integers are indices.
/// Says so in a line where it is not obvious. Throws Error for names and indices that are not
/// known, and for labels in doubt: those that are an index and the name of another class, unless
/// the list says which it means.
ImageList match_classes(ImageList list, const KnownClasses& known);

/// Whether the names of two sets of classes are the same in the same order. Where either side has
/// no names there is nothing to compare, unless the other's are integers in another order.
bool are_same_classes(const std::vector<std::string>& known, const std::vector<std::string>& found);

/// Throws Error listing the differences unless they are so; `origin` says where the first ones come
/// from.
void require_same_classes(const std::vector<std::string>& known, const std::string& origin,
                          const ImageList& list);

}  // namespace mobileone
