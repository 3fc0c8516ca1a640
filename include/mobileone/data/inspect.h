#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "mobileone/data/image_list.h"
#include "mobileone/data/sheet.h"

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

struct Inspection {
  int64_t images = 0;
  uint64_t bytes = 0;                      ///< of all images as they are stored
  std::vector<int64_t> images_per_class;   ///< by label
  Spread widths, heights;                  ///< of readable images, px
  std::map<std::string, int64_t> formats;  ///< by first bytes: "jpeg", ...; "pixels" in packs
  std::vector<std::string> bad;            ///< of each image that cannot be read, its error
  std::vector<Duplicate> duplicates;       ///< in order of `index`
};

/// Reads and decodes all images in as many threads.
Inspection inspect(const ImageList& list, int64_t threads);

/// The first readable images of each class, a class a row with its name, in order of labels;
/// classes beyond the first hundred are left out.
Sheet contact_sheet(const ImageList& list);

}  // namespace mobileone
