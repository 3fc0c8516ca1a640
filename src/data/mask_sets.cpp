#include "mobileone/data/mask_sets.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <sstream>
#include <utility>
#include <vector>

#include "mobileone/data/annotation.h"
#include "mobileone/data/class_folders.h"
#include "mobileone/data/image_files.h"
#include "mobileone/data/labels.h"
#include "mobileone/data/left_out.h"
#include "mobileone/data/object_sets.h"
#include "mobileone/data/pack.h"
#include "mobileone/data/segment_classes.h"
#include "mobileone/data/tar_shards.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/in_order.h"
#include "mobileone/util/lower_case.h"
#include "mobileone/util/one_line.h"
#include "mobileone/util/progress.h"
#include "mobileone/util/system_error.h"
#include "mobileone/util/utf8.h"
#include "paths.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

bool is_text_list(const fs::path& path) {
  return lower_case(path.extension().string()) == ".txt" && is_file(path);
}

/// Folders of images, and those that hold the masks where they stand instead.
constexpr std::array<std::pair<const char*, const char*>, 5> kPartners = {{
    {"images", "annotations"},
    {"images", "masks"},
    {"images", "labels"},
    {"JPEGImages", "SegmentationClass"},
    {"img", "masks"},
}};

/// The folder of the masks of a folder of images; empty if there is none beside it.
fs::path masks_beside(const fs::path& images) {
  const fs::path folder = plain(images);
  if (fs::path annot = folder.string() + "annot"; is_folder(annot)) return annot;
  // The innermost folder whose name has partners.
  fs::path below;
  for (fs::path at = folder; at.has_relative_path(); at = at.parent_path()) {
    for (const auto& [own, partner] : kPartners) {
      if (at.filename() != own) continue;
      const fs::path masks = plain(at.parent_path() / partner / below);
      if (is_folder(masks)) return masks;
    }
    below = at.filename() / below;
    if (at == at.parent_path()) break;
  }
  return {};
}

/// As `ImageFiles` has a folder.
std::string root_of(const fs::path& folder) {
  const fs::path normal = plain(folder);
  return normal == "." || normal.empty() ? "" : normal.string() + "/";
}

struct Pair {
  std::string image, mask;  ///< paths
};

struct Found {
  std::string image_root, mask_root;  ///< where relative names begin: "DIR/", or empty
  std::vector<Pair> pairs;
  DataFormat format;  ///< that names tell of
  std::vector<std::string> class_names;
};

std::string stem_below(const fs::path& folder, const std::string& file) {
  return fs::path(file).lexically_relative(folder).replace_extension().string();
}

Found pair_folders(const fs::path& images, const std::string& given) {
  const fs::path folder = plain(images);
  const fs::path masks = given.empty() ? masks_beside(images) : plain(given);
  if (masks.empty()) {
    throw Error(
        "{}: no masks are beside this folder of images (expected {}annot, or for a folder `images` "
        "one called annotations, masks or labels); name theirs, data.train_masks or data.val_masks",
        folder.string(), folder.filename().string());
  }
  if (!is_folder(masks)) throw Error("{}: is no folder of masks", masks.string());
  if (std::error_code error; fs::equivalent(folder, masks, error)) {
    throw Error("{}: holds images and masks alike; move the masks into a folder of their own",
                folder.string());
  }
  std::map<std::string, std::string> by_stem;
  for (const std::string& file : image_files_below(masks.string())) {
    if (lower_case(fs::path(file).extension().string()) != ".png") continue;
    by_stem.emplace(stem_below(masks, file), file);
  }
  Found found{root_of(folder), root_of(masks), {}, DataFormat::kFolders, {}};
  std::string first_without;
  int64_t without = 0;
  for (const std::string& file : image_files_below(folder.string())) {
    const std::string stem = stem_below(folder, file);
    const auto mask = by_stem.find(stem);
    if (mask != by_stem.end()) {
      found.pairs.push_back({file, mask->second});
    } else if (without++ == 0) {
      first_without = fmt::format("{}: has no mask (expected {})", one_line(file),
                                  one_line((masks / (stem + ".png")).string()));
    }
  }
  if (without > 0) {
    const int64_t all = without + std::ssize(found.pairs);
    throw Error("{}; {} of {} images have none", first_without, without, all);
  }
  LeftOut left_out;
  for (const Pair& pair : found.pairs) by_stem.erase(stem_below(folder, pair.image));
  for (const auto& [stem, file] : by_stem) left_out.add("masks without an image", file);
  left_out.warn(masks.string());

  for (const fs::path& at : {masks, folder, masks / "x", folder / "x"}) {
    if (found.class_names.empty()) found.class_names = class_names_beside(at);
  }
  const bool has_own = !found.class_names.empty();
  if (folder.filename() == "JPEGImages") {
    found.format = DataFormat::kVoc;
  } else if (!has_own && fs::path(found.pairs[0].image).filename().string().starts_with("ADE_")) {
    found.format = DataFormat::kAde20k;
  } else if (!has_own && masks.filename() == folder.filename().string() + "annot") {
    found.format = DataFormat::kCamVid;
  }
  return found;
}

/// Finds files by paths that may begin with folders of another machine.
class TailFinder {
 public:
  /// Below `folder` and those above it.
  explicit TailFinder(const fs::path& folder) : folder_(folder) {}

  /// The file of the longest tail of `path` that exists; empty if there is none.
  std::string find(const std::string& path) {
    if (!base_.empty() || dropped_ > 0) {  // as the last one was found
      const fs::path file = base_ / tail(path, dropped_);
      if (is_file(file)) return file.lexically_normal().string();
    }
    const fs::path whole(path);
    const auto parts = std::distance(whole.begin(), whole.end());
    for (std::ptrdiff_t drop = 0; drop < parts; ++drop) {
      fs::path base = folder_;
      for (int up = 0; up < 4; ++up, base = base / "..") {
        const fs::path file = base / tail(whole, drop);
        if (!is_file(file)) continue;
        base_ = base, dropped_ = drop;
        return file.lexically_normal().string();
      }
    }
    return {};
  }

 private:
  /// Without its first `drop` parts; an absolute path as it is if none are dropped.
  static fs::path tail(const fs::path& whole, std::ptrdiff_t drop) {
    fs::path result;
    for (auto part = std::next(whole.begin(), drop); part != whole.end(); ++part) result /= *part;
    return result;
  }

  fs::path folder_, base_;
  std::ptrdiff_t dropped_ = 0;
};

Found pair_lines(const fs::path& list, const std::string& masks) {
  const std::string text = utf8_of(read_file(list));
  const fs::path devkit = devkit_of(list);
  const fs::path base = devkit.empty() ? fs::path(plain(list)).parent_path() : devkit;
  const fs::path folder = base.empty() ? fs::path(".") : base;
  const std::string root = root_of(folder);
  Found found{root, root, {}, DataFormat::kFolders, class_names_beside(list)};
  if (!devkit.empty()) found.format = DataFormat::kVoc;
  if (devkit.empty() && found.class_names.empty() && lower_case(text).find("camvid") != text.npos) {
    found.format = DataFormat::kCamVid;
  }
  TailFinder images(folder), labels(folder);
  std::istringstream lines(text);
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (trimmed(line).empty()) continue;
    const auto fail = [&](const std::string& what) {
      return Error("{}:{}: {}", list.string(), number, what);
    };
    std::istringstream words(line);
    std::vector<std::string> paths;
    for (std::string word; words >> word;) paths.push_back(word);
    Pair pair;
    if (paths.size() == 2) {
      pair = {images.find(paths[0]), labels.find(paths[1])};
    } else if (paths.size() == 1 && !devkit.empty()) {
      const std::string name = fs::path(paths[0]).stem().string();
      paths = {(devkit / "JPEGImages" / (name + ".jpg")).string()};
      for (const char* kind : {"SegmentationClass", "SegmentationClassAug"}) {
        const fs::path of_masks = masks.empty() ? devkit / kind : fs::path(masks);
        paths.push_back((of_masks / (name + ".png")).string());
        if (pair.mask.empty() && is_file(paths.back())) pair.mask = paths.back();
      }
      if (is_file(paths[0])) pair.image = paths[0];
    } else {
      throw fail(fmt::format("`{}` is not an image's path and its mask's, with a blank between",
                             one_line(trimmed(line).substr(0, 200))));
    }
    if (pair.image.empty()) throw fail("there is no image " + one_line(paths[0]));
    if (pair.mask.empty()) throw fail("there is no mask " + one_line(paths[1]));
    found.pairs.push_back(std::move(pair));
  }
  if (found.pairs.empty()) {
    throw Error("{}: lists no images (expected a line with an image's path and its mask's each)",
                list.string());
  }
  return found;
}

/// Of a folder that holds folders of images, and lists: which to name instead.
[[noreturn]] void fail_for_parent(const fs::path& folder) {
  const fs::path lists = folder / "ImageSets/Segmentation";
  if (is_folder(lists)) {
    throw Error("{}: is a whole devkit; name one of its lists, for instance {}", folder.string(),
                (lists / "train.txt").string());
  }
  throw Error("{}: holds images and masks of several parts; name one, for instance {}",
              folder.string(), (folder / "images/training").string());
}

bool holds_several_parts(const fs::path& folder) {
  return is_folder(folder / "ImageSets/Segmentation") ||
         (is_folder(folder / "images/training") && is_folder(folder / "annotations/training"));
}

Found find_pairs(const std::string& path, const std::string& masks) {
  if (is_text_list(path)) return pair_lines(path, masks);
  if (!is_folder(path)) {
    require_file(path, "set of images with masks (folder, list, tar shards or pack)");
    throw Error(
        "{}: expected a folder of images, a list (.txt) of images and masks, tar shards (.tar) or "
        "a pack",
        path);
  }
  if (holds_several_parts(path)) fail_for_parent(path);
  for (const auto& [own, partner] : kPartners) {
    const fs::path images = fs::path(path) / own;
    if (is_folder(images) && masks.empty() && is_folder(fs::path(path) / partner)) {
      return pair_folders(images, (fs::path(path) / partner).string());
    }
  }
  return pair_folders(path, masks);
}

/// What labels of the set mean.
void set_meaning(ImageList& list, DataFormat format, const DataConfig& data) {
  const auto& names = segment_class_names(format);
  if (!names.empty()) list.class_names = names;
  MaskLabels& labels = list.mask_labels;
  labels.ignore_label = data.ignore_label;
  if (format == DataFormat::kCamVid && labels.ignore_label == kIgnored) labels.ignore_label = 11;
  labels.reduce_zero_label = data.reduce_zero_label || format == DataFormat::kAde20k;
  const auto count = std::ssize(list.class_names);
  if (count > kMostMaskClasses) {
    throw Error("{}: has {} classes, more than the {} that a mask can tell apart", list.origin,
                count, kMostMaskClasses);
  }
  labels.num_classes = count > 0 ? count : kMostMaskClasses;
}

/// A pack has its masks and what their values mean: what else is asked for cannot be had.
void require_meaning(const ImageList& pack, const std::string& masks, const DataConfig& data) {
  const DataConfig usual;
  const auto& [ignored, reduced, classes] = pack.mask_labels;
  if (!masks.empty())
    throw Error("{}: is a pack with its own masks, not those of {}", pack.origin, masks);
  if (data.ignore_label != usual.ignore_label && data.ignore_label != ignored) {
    throw Error("{}: was packed with data.ignore_label={}, not {}; leave it out or pack again",
                pack.origin, ignored, data.ignore_label);
  }
  if (data.reduce_zero_label && !reduced) {
    throw Error("{}: was packed without data.reduce_zero_label; leave it out or pack again",
                pack.origin);
  }
}

}  // namespace

ImageList read_mask_list(const std::string& path, const std::string& masks,
                         const DataConfig& data) {
  if (names_shards(path)) {
    ImageList list = read_shards(path, Samples::kMasked);
    set_meaning(list, data.format, data);
    return list;
  }
  if (is_pack(path)) {
    ImageList list = read_pack(path);
    if (!list.masks) throw Error("{}: holds no masks, which segmentation needs", path);
    require_meaning(list, masks, data);
    return list;
  }
  Found found = find_pairs(path, masks);
  const auto relative = [](const std::string& file, const std::string& root) {
    return file.starts_with(root) ? file.substr(root.size()) : fs::absolute(file).string();
  };
  auto images = std::make_shared<ImageFiles>(found.image_root);
  auto mask_files = std::make_shared<ImageFiles>(found.mask_root);
  for (const Pair& pair : found.pairs) {
    images->add(relative(pair.image, found.image_root));
    mask_files->add(relative(pair.mask, found.mask_root));
  }
  ImageList list{path, std::move(found.class_names), {}, images};
  list.labels.assign(found.pairs.size(), -1);
  list.masks = mask_files;
  set_meaning(list, data.format == DataFormat::kAuto ? found.format : data.format, data);
  return list;
}

ImageList read_any_list(const std::string& path, const std::string& masks, const DataConfig& data) {
  const bool may_have_boxes =
      masks.empty() && (data.format == DataFormat::kAuto || data.format == DataFormat::kVoc);
  if (!data.train_annotations.empty() || data.format == DataFormat::kCoco ||
      data.format == DataFormat::kYolo || (may_have_boxes && names_object_set(path, data.format))) {
    return read_object_list(path, data.train_annotations, data);
  }
  const bool said = !masks.empty() || data.format != DataFormat::kAuto;
  if (said || names_mask_set(path)) return read_mask_list(path, masks, data);
  if (is_pack(path)) return read_pack(path);
  if (!names_shards(path)) return read_image_list(path);
  ImageList list = read_shards(path, Samples::kEither);
  if (list.objects) return read_object_list(path, "", data);
  if (list.masks) set_meaning(list, data.format, data);
  return list;
}

bool names_mask_set(const std::string& path) {
  if (is_text_list(path)) return true;
  if (!is_folder(path) || names_shards(path)) return false;
  if (holds_several_parts(path) || !masks_beside(path).empty()) return true;
  return std::any_of(kPartners.begin(), kPartners.end(), [&](const auto& names) {
    return is_folder(fs::path(path) / names.first) && is_folder(fs::path(path) / names.second);
  });
}

int64_t count_mask_classes(const ImageList& list, int64_t threads) {
  if (!list.class_names.empty()) return std::ssize(list.class_names);
  int64_t count = 0;
  Progress progress("counting classes", list.size(), "masks");
  in_order(
      0, list.size(), threads,
      [&](int64_t i) -> int64_t {
        try {
          const auto counts = label_counts(list.annotation(i).mask);
          for (int64_t label = kIgnored; label-- > 0;) {
            if (counts[label] > 0) return label + 1;
          }
        } catch (const Error& error) {
          if (may_pass(error)) throw;  // the loader names what is damaged
        }
        return 0;
      },
      [&](int64_t i, int64_t classes) {
        count = std::max(count, classes);
        progress.update(i + 1, "");
      });
  if (count == 0) throw Error("{}: none of its masks has a class", list.origin);
  return count;
}

}  // namespace mobileone
