#include "mobileone/data/coco_masks.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <vector>

#include "mobileone/data/annotation.h"
#include "mobileone/data/image.h"
#include "mobileone/data/index_mask.h"
#include "mobileone/util/error.h"
#include "mobileone/util/in_order.h"
#include "mobileone/util/log.h"
#include "mobileone/util/mapped_file.h"
#include "mobileone/util/one_line.h"
#include "mobileone/util/progress.h"
#include "new_folder.h"
#include "paths.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

/// Throws Error unless an image file is of the size that its annotations are for.
void require_size(const fs::path& path, const CocoImage& expected) {
  const std::string name = one_line(path.string());
  const MappedFile file(path);
  const auto [width, height] = image_size(file.bytes(), name);
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
  const fs::path output = plain(options.output);
  NewFolder folder(output, "data masks");
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
