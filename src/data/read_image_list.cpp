#include <filesystem>

#include "mobileone/data/class_folders.h"
#include "mobileone/data/csv_list.h"
#include "mobileone/data/image_list.h"
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
  if (is_pack(path)) {
    ImageList list = read_pack(path);
    if (!list.masks && !list.objects) return list;
    throw Error("{}: its images have {}, not labels; {} are for model.head={}", path,
                list.masks ? "masks" : "boxes", list.masks ? "masks" : "boxes",
                list.masks ? "deeplabv3" : "ssdlite");
  }
  throw Error(
      "{}: expected a folder of class folders, a CSV list (.csv), tar shards (.tar) or a pack",
      path);
}

}  // namespace mobileone
