#pragma once

#include <string>
#include <string_view>

#include "mobileone/data/image_storage.h"
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
  std::optional<uint64_t> file_size(int64_t index) const override;

 private:
  std::string root_;
  NameTable paths_;
};

/// Whether a name ends, in any case, as files of formats that are read do: jpg jpeg jpe jfif jif
/// png gif bmp dib pbm pgm ppm pnm tif tiff webp. `extension` is what follows the dot.
bool is_image_extension(std::string_view extension);

/// Whether it ends as images of formats do that are not read: avif heic jxl ...
bool is_other_image_extension(std::string_view extension);

}  // namespace mobileone
