#include "mobileone/data/coco_masks.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "mobileone/data/annotation.h"
#include "mobileone/data/image.h"
#include "mobileone/data/index_mask.h"
#include "mobileone/data/jpeg.h"
#include "mobileone/data/png.h"
#include "mobileone/util/descriptor.h"
#include "mobileone/util/endian.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/folder_lock.h"
#include "mobileone/util/in_order.h"
#include "mobileone/util/log.h"
#include "mobileone/util/mapped_file.h"
#include "mobileone/util/one_line.h"
#include "mobileone/util/progress.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

/// Throws Error unless an image file is of the size that its annotations are for. Of JPEG and PNG
/// files the header is read alone.
void require_size(const fs::path& path, const CocoImage& expected) {
  constexpr size_t kPngSizes = 16;  // where they are: width and height, four bytes each
  const std::string name = one_line(path.string());
  const MappedFile file(path);
  int64_t width = 0, height = 0;
  if (is_jpeg(file.bytes())) {
    const JpegFile jpeg(file.bytes(), name);
    width = jpeg.width(), height = jpeg.height();
  } else if (is_png(file.bytes()) && file.bytes().size() >= kPngSizes + 8) {
    width = static_cast<int64_t>(big_endian(file.bytes(), kPngSizes, 4));
    height = static_cast<int64_t>(big_endian(file.bytes(), kPngSizes + 4, 4));
  } else {
    const at::Tensor image = decode_image(file.bytes(), name);
    width = image.size(1), height = image.size(0);
  }
  if (width == expected.width && height == expected.height) return;
  const bool is_turned = width == expected.height && height == expected.width;
  throw Error("{}: has {} x {} pixels, expected {} x {} as its annotations are for{}", name, width,
              height, expected.width, expected.height,
              is_turned ? "; were they drawn on the image turned by its EXIF orientation?" : "");
}

/// Where the masks of a file's images go: paths below the folder of masks.
std::vector<std::string> mask_names(const CocoAnnotations& coco) {
  std::vector<std::string> names;
  std::map<std::string, const CocoImage*> images;
  for (const CocoImage& image : coco.images) {
    const fs::path file = fs::path(image.file_name).lexically_normal();
    if (file.is_absolute() || !file.has_filename() || *file.begin() == "..") {
      throw Error("{}: image {}: its file_name `{}` is no path below a folder of images", coco.path,
                  image.id, one_line(image.file_name));
    }
    names.push_back(fs::path(file).replace_extension(".png").string());
    const auto [other, is_new] = images.emplace(names.back(), &image);
    if (!is_new) {
      throw Error("{}: images {} and {} would have the same mask, {}", coco.path, other->second->id,
                  image.id, one_line(names.back()));
    }
  }
  return names;
}

void require_images(const CocoAnnotations& coco, const fs::path& folder) {
  int64_t missing = 0;
  const CocoImage* first = nullptr;
  std::error_code error;
  for (const CocoImage& image : coco.images) {
    if (fs::is_regular_file(folder / image.file_name, error)) continue;
    if (missing++ == 0) first = &image;
  }
  if (missing == 0) return;
  throw Error("{}: {} of {} images that {} names are not there, the first is {}", folder.string(),
              missing, coco.images.size(), coco.path, one_line(first->file_name));
}

/// A folder that comes to be whole or not at all: its files are written beside it.
class NewFolder {
 public:
  explicit NewFolder(const fs::path& folder) : folder_(folder) {
    std::error_code error;
    if (fs::exists(folder_, error) && !fs::is_empty(folder_, error)) {
      throw Error("{}: is there already; move it away, or name another folder", folder_.string());
    }
    partial_ = fs::path(folder_) += ".partial";
    if (fs::exists(partial_, error) && !fs::is_empty(partial_, error) && !is_own(partial_)) {
      throw Error(
          "{}: is there already, and not of an interrupted `data masks`, which would write there; "
          "move it away, or name another folder",
          partial_.string());
    }
    fs::create_directories(partial_, error);
    if (error) throw Error("{}: cannot be made: {}", partial_.string(), error.message());
    lock_.emplace(partial_);
    for (const auto& entry : fs::directory_iterator(partial_)) {
      if (entry.path().filename() != ".lock") fs::remove_all(entry.path());
    }
  }
  ~NewFolder() {
    std::error_code ignored;
    if (!partial_.empty()) fs::remove_all(partial_, ignored);
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  void write(const std::string& name, std::string_view contents) const {
    const fs::path path = partial_ / name;
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    std::ofstream stream(path, std::ios::binary);
    stream.write(contents.data(), static_cast<std::streamsize>(contents.size()));
    stream.close();
    if (!stream) throw Error("{}: cannot be written: {}", path.string(), std::strerror(errno));
  }

  void finish() {
    lock_->require_held();
    const Descriptor opened(::open(partial_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened || ::syncfs(opened.get()) != 0) {
      throw Error("{}: could not be synced to disk: {}", partial_.string(), std::strerror(errno));
    }
    rename_whole(partial_, folder_);
    partial_.clear();
    std::error_code ignored;
    fs::remove(folder_ / ".lock", ignored);
  }

 private:
  /// Of an interrupted writer, which writes the names of classes first.
  static bool is_own(const fs::path& folder) {
    const auto count = std::distance(fs::directory_iterator(folder), {});
    return FolderLock::was_in(folder) && (count == 1 || fs::exists(folder / "classes.txt"));
  }

  fs::path folder_, partial_;  ///< where its files are; empty once it is whole
  std::optional<FolderLock> lock_;
};

struct MaskFile {
  std::string png = {};  ///< empty where the image is left out
  int64_t pixels = 0, of_objects = 0, ignored = 0;
};

MaskFile make_mask(const CocoAnnotations& coco, const CocoImage& image, const MaskClasses& classes,
                   const MaskFilesOptions& options) {
  require_size(fs::path(options.images) / image.file_name, image);
  const at::Tensor mask = coco_mask(image, classes, options.rules, coco.path);
  MaskFile file{.pixels = mask.numel()};
  const auto* labels = mask.const_data_ptr<uint8_t>();
  const auto background = std::count(labels, labels + file.pixels, uint8_t{0});
  file.ignored = std::count(labels, labels + file.pixels, kIgnored);
  file.of_objects = file.pixels - background - file.ignored;
  if (file.of_objects >= options.min_pixels) file.png = encode_png_indices(mask, voc_palette());
  return file;
}

}  // namespace

at::Tensor coco_mask(const CocoImage& image, const MaskClasses& classes, const MaskRules& rules,
                     const std::string& path) {
  const at::Tensor columns = at::zeros({image.width, image.height}, at::kByte);
  auto* labels = columns.mutable_data_ptr<uint8_t>();
  std::vector<bool> is_covered(columns.numel());
  const auto paint = [&](const CocoObject& object, int label, MaskOverlap overlap) {
    const std::string name = fmt::format("{}: annotation {}", path, object.id);
    for_runs_inside(object_rle(object, image, name), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        if (!is_covered[i]) {
          labels[i] = static_cast<uint8_t>(label);
          is_covered[i] = true;
        } else if (overlap == MaskOverlap::kIgnore) {
          labels[i] = kIgnored;
        }
      }
    });
  };
  const bool crowds_last = rules.crowds == MaskCrowds::kIgnore;
  for (const CocoObject& object : image.objects) {
    const int label = classes.of_category[object.category];
    if (label >= 0 && !(object.is_crowd && crowds_last)) paint(object, label, rules.overlap);
  }
  for (const CocoObject& object : image.objects) {
    const int label = classes.of_category[object.category];
    if (label >= 0 && object.is_crowd && crowds_last) {
      paint(object, kIgnored, MaskOverlap::kFirst);
    }
  }
  return columns.t().contiguous();
}

MaskFilesSummary write_coco_masks(const CocoAnnotations& coco, const MaskClasses& classes,
                                  const MaskFilesOptions& options) {
  const std::vector<std::string> names = mask_names(coco);
  require_images(coco, options.images);
  fs::path output = fs::path(options.output).lexically_normal();
  if (!output.has_filename()) output = output.parent_path();
  NewFolder folder(output);
  folder.write("classes.txt", fmt::format("{}\n", fmt::join(classes.names, "\n")));

  MaskFilesSummary summary;
  // Of a relative path of which nothing is there yet, `relative` would make nothing.
  const fs::path to_images = fs::relative(options.images, fs::absolute(output));
  std::string list;
  bool has_blanks = false;
  Progress progress("masks", std::ssize(coco.images), "img");
  in_order(
      0, std::ssize(coco.images), options.threads,
      [&](int64_t i) { return make_mask(coco, coco.images[i], classes, options); },
      [&](int64_t i, const MaskFile& file) {
        progress.update(i + 1, "");
        if (file.png.empty()) {
          ++summary.left_out;
          return;
        }
        folder.write(names[i], file.png);
        const std::string image = (to_images / coco.images[i].file_name).string();
        has_blanks = has_blanks || (image + names[i]).find_first_of(" \t\r\n\v\f") != image.npos;
        list += image + " " + names[i] + "\n";
        ++summary.masks;
        summary.pixels += file.pixels;
        summary.of_objects += file.of_objects;
        summary.ignored += file.ignored;
      });
  if (summary.masks == 0) {
    throw Error("{}: none of its {} images has {} pixels of the classes, and no mask was written",
                coco.path, coco.images.size(), options.min_pixels);
  }
  if (has_blanks) {
    log::warning("{}: without a list.txt, which cannot hold blanks in names", options.output);
  } else {
    folder.write("list.txt", list);
  }
  folder.finish();
  return summary;
}

}  // namespace mobileone
