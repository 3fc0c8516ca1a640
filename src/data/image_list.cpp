#include "mobileone/data/image_list.h"

#include <c10/util/hash.h>

#include <algorithm>
#include <filesystem>

#include "mobileone/data/image.h"
#include "mobileone/data/image_files.h"
#include "mobileone/data/imagenet.h"
#include "mobileone/data/pack.h"
#include "mobileone/data/tar_shards.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {
ImageList read_image_list(const std::string& path) {
  if (names_shards(path)) return read_shards(path);
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return read_class_folders(path);
  require_file(path, "data set (folder, CSV list, tar shards or pack)");
  if (is_csv_list(path)) return read_csv_list(path);
  if (is_pack(path)) return read_pack(path);
  throw Error(
      "{}: expected a folder of class folders, a CSV list (.csv), tar shards (.tar) or a pack",
      path);
}

at::Tensor read_pixels(const ImageList& list, int64_t index, bool upright) {
  const StoredImage image = list.read(index);
  if (image.is_decoded()) return image.pixels();
  return decode_image(image.bytes(), list.name(index), upright);
}

std::string fingerprint(const ImageList& list) {
  std::string text;
  for (int64_t i = 0; i < list.size(); ++i) {
    text += fmt::format("{} {}\n", list.labels[i], list.storage->relative_name(i));
  }
  return c10::sha1(text).str();
}

void require_few_damaged(const ImageList& list, int64_t damaged, const std::string& last) {
  if (damaged <= std::max<int64_t>(1, list.size() / 100)) return;
  throw Error("{}: {} of {} images cannot be read, more than 1 %{}", list.origin, damaged,
              list.size(), last.empty() ? "" : "; the last: " + last);
}

void require_labels_below(const ImageList& list, int64_t num_classes) {
  for (int64_t i = 0; i < list.size(); ++i) {
    if (list.labels[i] >= num_classes) {
      throw Error("{}: label {} of {} is out of range: the network has {} classes (0 to {})",
                  list.origin, list.labels[i], list.name(i), num_classes, num_classes - 1);
    }
  }
}

bool are_same_classes(const std::vector<std::string>& expected,
                      const std::vector<std::string>& found) {
  const auto& imagenet = imagenet_classes();
  return expected.empty() || found.empty() || expected == found ||
         (expected == imagenet.names && found == imagenet.ids);
}

void require_same_classes(const std::vector<std::string>& expected,
                          const std::string& expected_origin, const ImageList& list) {
  const auto& found = list.class_names;
  if (are_same_classes(expected, found)) return;
  std::string differences;
  int named = 0;
  const size_t count = std::max(expected.size(), found.size());
  for (size_t i = 0; i < count && named < 8; ++i) {
    const std::string ours = i < expected.size() ? expected[i] : "(none)";
    const std::string theirs = i < found.size() ? found[i] : "(none)";
    if (ours != theirs) {
      differences += fmt::format("{}{}: '{}' against '{}'", named++ ? ", " : "", i, ours, theirs);
    }
  }
  throw Error("{}: its {} classes are not the {} of {}; class {}{}", list.origin, found.size(),
              expected.size(), expected_origin, differences, named == 8 ? ", ..." : "");
}

}  // namespace mobileone
