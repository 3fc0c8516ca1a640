#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mobileone/data/image_list.h"
#include "mobileone/util/name_table.h"

namespace mobileone {

/// Images that are files of their own.
class ImageFiles : public ImageStorage {
 public:
  /// Where relative paths start: "DIR/", or empty.
  explicit ImageFiles(std::string root) : root_(std::move(root)) {}

  /// Relative to the root, or absolute.
  void add(std::string_view path) { paths_.add(path); }

  std::string name(int64_t index) const override;
  std::string relative_name(int64_t index) const override;
  StoredImage read(int64_t index) const override;

 private:
  std::string root_;
  NameTable paths_;
};

/// Whether a name ends, in any case, as image files do: jpg jpeg png ppm bmp pgm tif tiff webp.
/// `extension` is what follows the dot.
bool is_image_extension(std::string_view extension);

/// Every image below a folder, as `read_class_folders` finds those of a class. Throws Error if
/// there is none.
std::vector<std::string> image_files_below(const std::string& folder);

/// A folder of class folders, as torchvision's ImageFolder: the sorted names of the class folders
/// are the labels 0, 1, ...; every image below a class folder belongs to it, by extension; what
/// begins with a dot is passed over. Throws Error.
ImageList read_class_folders(const std::string& folder);

/// Whether a file of this name is read as a CSV list.
bool is_csv_list(const std::string& path);

/// A CSV file whose first line names its columns: `path` or `file` (relative paths start at the
/// CSV's folder) and `label` or `class_index` (all of them non-negative integers, or all names,
/// whose sorted order gives the integers); other columns are ignored. Throws Error.
ImageList read_csv_list(const std::string& path);

}  // namespace mobileone
