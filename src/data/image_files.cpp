#include "mobileone/data/image_files.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>

#include "mobileone/util/file.h"
#include "mobileone/util/lower_case.h"

namespace mobileone {

std::string ImageFiles::name(int64_t index) const {
  const std::string_view path = paths_[index];
  return path.starts_with('/') ? std::string(path) : root_ + std::string(path);
}

std::string ImageFiles::relative_name(int64_t index) const {
  std::string_view path = paths_[index];
  if (!root_.empty() && path.starts_with(root_)) path.remove_prefix(root_.size());
  return std::string(path);
}

StoredImage ImageFiles::read(int64_t index) const {
  return StoredImage(read_file(name(index), kLargestImageFile));
}

std::optional<uint64_t> ImageFiles::file_size(int64_t index) const {
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(name(index), error);
  return error ? 0 : size;  // gone: reading it will say so
}

bool is_image_extension(std::string_view extension) {
  static const std::set<std::string> kExtensions = {"jpg", "jpeg", "jpe",  "jfif", "jif", "png",
                                                    "gif", "bmp",  "dib",  "pbm",  "pgm", "ppm",
                                                    "pnm", "tif",  "tiff", "webp"};
  return kExtensions.contains(lower_case(extension));
}

bool is_other_image_extension(std::string_view extension) {
  static const std::set<std::string> kExtensions = {
      "avif", "heic", "heif", "jxl", "jp2", "j2k", "pam", "ico", "svg", "psd",
      "exr",  "hdr",  "tga",  "qoi", "dng", "cr2", "nef", "arw", "npy"};
  return kExtensions.contains(lower_case(extension));
}

}  // namespace mobileone
