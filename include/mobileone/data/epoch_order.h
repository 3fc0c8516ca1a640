#pragma once

#include <cstdint>
#include <vector>

#include "mobileone/data/image_list.h"
#include "mobileone/util/random.h"

namespace mobileone {

/// All positions of the list, as they come.
std::vector<int64_t> stored_order(const ImageList& list);

/// All positions in a random order: any order is as likely where images can be read in any. Where
/// they should be read in stretches (ImageStorage), these come in a random order, one image after
/// the other, into a buffer of `buffer` images, from which the next is drawn.
std::vector<int64_t> shuffled_order(const ImageList& list, int64_t buffer, Random& random);

/// As many draws as the list has images, in a random order: of each class that has any as many as
/// of another, or one more, and of a class's images each as often as another, or once more. A draw
/// is the image's position + the list's size × how often it was drawn before.
std::vector<int64_t> balanced_order(const ImageList& list, Random& random);

}  // namespace mobileone
