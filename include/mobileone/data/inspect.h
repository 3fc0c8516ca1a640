#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mobileone/data/image.h"
#include "mobileone/data/image_list.h"
#include "mobileone/data/sheet.h"
#include "mobileone/util/box.h"

namespace mobileone {

/// Of a set of numbers; all 0 if it is empty.
struct Spread {
  int64_t least = 0, median = 0, most = 0;
};
Spread spread(std::vector<int64_t> values);

/// Two images that are the same byte by byte.
struct Duplicate {
  int64_t first;  ///< the earliest that is so
  int64_t index;
};

/// What the masks of a set hold, of those that can be read.
struct MaskPixels {
  int64_t pixels = 0, ignored = 0;  ///< in all; of these, in no class
  std::vector<int64_t> per_class;   ///< by label
  std::vector<int64_t> around;      ///< by label: of the images that have the class, all pixels
  std::vector<std::string> bad;     ///< of each mask that cannot be read, has a value that is no
                                    ///< class, or another size than its image, its error
};

struct BoxOfImage {
  Box box;
  ImageSize image;
};

/// The boxes of a set, of images that can be read.
struct BoxCounts {
  int64_t boxes = 0;
  int64_t crowds = 0, difficult = 0;    ///< of these
  int64_t empty = 0, outside = 0;       ///< of no size, or with a part outside their image
  int64_t images_without = 0;           ///< images
  std::vector<int64_t> per_class;       ///< by label
  std::array<int64_t, 3> by_area = {};  ///< COCO's small (below 32² px), medium, large (96² on)
  std::vector<BoxOfImage> learnt;       ///< those that are neither crowds nor difficult
};

struct Inspection {
  int64_t images = 0;
  uint64_t bytes = 0;                      ///< of all images as they are stored
  std::vector<int64_t> images_per_class;   ///< by label; of masks and boxes, the images that have
                                           ///< the class
  Spread widths, heights;                  ///< of readable images, px
  std::map<std::string, int64_t> formats;  ///< by first bytes: "jpeg", ...; "pixels" in packs
  std::vector<std::string> bad;            ///< of each image that cannot be read, its error
  std::vector<Duplicate> duplicates;       ///< in order of `index`
  std::optional<MaskPixels> masks;         ///< nothing where the set has none
  std::optional<BoxCounts> boxes;          ///< likewise
};

/// Reads and decodes all images, and their masks, once in as many threads.
Inspection inspect(const ImageList& list, int64_t threads);

/// Weights of classes by which rare ones count more (Eigen & Fergus 2015): the median of the
/// classes' frequencies over the class's own, which is its share of the pixels of the images that
/// have it. 1 for a class without pixels.
std::vector<double> median_frequency_weights(const MaskPixels& masks);

/// The first readable images of each class, a class a row with its name, in order of labels;
/// classes beyond the first hundred are left out. Of a set with masks, the first images with these
/// laid over; of one with boxes, with these drawn.
Sheet contact_sheet(const ImageList& list);

}  // namespace mobileone
