#include "mobileone/data/object_sets.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "mobileone/data/class_folders.h"
#include "mobileone/data/coco.h"
#include "mobileone/data/image.h"
#include "mobileone/data/pack.h"
#include "mobileone/data/tar_shards.h"
#include "mobileone/data/yolo_names.h"
#include "mobileone/data/yolo_text.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/in_order.h"
#include "mobileone/util/lower_case.h"
#include "mobileone/util/mapped_file.h"
#include "mobileone/util/one_line.h"
#include "object_collector.h"
#include "paths.h"
#include "voc_set.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

bool ends_in(const fs::path& path, const char* ending) {
  return lower_case(path.extension().string()) == ending;
}

// COCO.

/// The folder of the images that `instances_NAME.json` is about.
fs::path images_of(const fs::path& json) {
  const std::string stem = json.stem().string();
  const std::string name = stem.substr(stem.find('_') == stem.npos ? 0 : stem.find('_') + 1);
  for (const fs::path& folder :
       {json.parent_path() / ".." / name, json.parent_path() / ".." / "images" / name,
        json.parent_path() / name}) {
    if (is_folder(folder)) return plain(folder);
  }
  return plain(json.has_parent_path() ? json.parent_path() : ".");
}

ImageList read_coco_set(const fs::path& json, const fs::path& folder) {
  CocoAnnotations coco = read_coco(json.string(), CocoParts::kBoxes);
  if (coco.categories.empty()) throw Error("{}: has no categories", coco.path);
  std::ranges::sort(coco.images, {}, &CocoImage::id);
  ObjectCollector list(folder, json.string());
  int64_t missing = 0;
  std::string first_missing;
  for (const CocoImage& image : coco.images) {
    const std::string file = (folder / image.file_name).lexically_normal().string();
    if (!is_file(file) && missing++ == 0) first_missing = file;
    std::vector<Object> objects;
    for (const CocoObject& object : image.objects) {
      const auto& [left, top, width, height] = object.box;
      objects.push_back({.box = {left, top, left + width, top + height},
                         .label = static_cast<int32_t>(object.category),
                         .area = object.area,
                         .crowd = object.is_crowd});
    }
    list.add(file, objects, image.width, image.height);
    list.table().image_ids.push_back(image.id);
  }
  if (missing > 0) {
    throw Error(
        "{}: {} of its {} images are not there, the first {}; name their folder as the "
        "data and this file as its annotations",
        json.string(), missing, coco.images.size(), one_line(first_missing));
  }
  std::vector<std::string> names;
  for (const CocoCategory& category : coco.categories) {
    names.push_back(category.name);
    list.table().category_ids.push_back(category.id);
  }
  return list.finish(std::move(names));
}

// YOLO.

/// The folder in which `labels` stands for the innermost `images`; empty if there is none.
fs::path labels_beside(const fs::path& images) {
  fs::path below;
  for (fs::path at = images; at.has_relative_path(); at = at.parent_path()) {
    if (at.filename() == "images") {
      const fs::path labels = plain(at.parent_path() / "labels" / below);
      return is_folder(labels) ? labels : fs::path();
    }
    below = at.filename() / below;
  }
  return {};
}

ImageList read_yolo_set(const fs::path& folder, const fs::path& labels, const DataConfig& data) {
  const std::vector<std::string> images = image_files_below(folder.string());
  std::vector<std::string> names = yolo_class_names(folder, labels);
  struct Labelled {
    ImageSize size;
    std::vector<Object> objects;
  };
  ObjectCollector list(folder, folder.string());
  int64_t classes = std::ssize(names);
  in_order(
      0, std::ssize(images), data.workers,
      [&](int64_t i) -> Labelled {
        const auto own = fs::path(images[i]).lexically_relative(folder).replace_extension(".txt");
        const ImageSize size =
            image_size(MappedFile(images[i]).bytes(), images[i], data.exif_orientation);
        const std::string file = (labels / own).string();
        if (!is_file(file)) return {size, {}};
        return {size, parse_yolo_text(read_file(file), file, size, std::ssize(names))};
      },
      [&](int64_t i, const Labelled& labelled) {
        for (const Object& object : labelled.objects) {
          classes = std::max<int64_t>(classes, object.label + 1);
        }
        list.add(images[i], labelled.objects, labelled.size.width, labelled.size.height);
      });
  if (classes == 0) throw Error("{}: has no objects", labels.string());
  for (int64_t i = std::ssize(names); i < classes; ++i) names.push_back(std::to_string(i));
  return list.finish(std::move(names));
}

/// Whether `Entries` of a folder, its own or those at any depth, have a file that ends so.
template <typename Entries>
bool have(const fs::path& folder, const char* ending) {
  std::error_code error;
  for (Entries at(folder, error), end; !error && at != end; at.increment(error)) {
    if (ends_in(at->path(), ending)) return true;
  }
  return false;
}

bool holds(const fs::path& folder, const char* ending) {
  return have<fs::recursive_directory_iterator>(folder, ending);
}

/// What lies beside a folder of images, of the kind that is wanted; empty where there is nothing.
fs::path annotations_beside(const fs::path& folder, DataFormat format) {
  const auto may_be = [&](DataFormat kind) {
    return format == DataFormat::kAuto || format == kind;
  };
  const std::string name = folder.filename().string();
  const fs::path parent = folder.parent_path();
  if (may_be(DataFormat::kCoco)) {
    for (const fs::path& at : {parent, parent.parent_path()}) {
      const fs::path json = at / "annotations" / ("instances_" + name + ".json");
      if (is_file(json)) return json;
    }
  }
  if (may_be(DataFormat::kVoc)) {
    if (name == "JPEGImages" && is_folder(parent / "Annotations")) return parent / "Annotations";
    // Not below it: classification has as many files as there are images.
    if (have<fs::directory_iterator>(folder, ".xml")) return folder;
  }
  return may_be(DataFormat::kYolo) ? labels_beside(folder) : fs::path();
}

ImageList read_folder(const fs::path& folder, const fs::path& annotations, const DataConfig& data) {
  if (is_file(annotations)) return read_coco_set(annotations, folder);
  if (!is_folder(annotations)) {
    throw Error("{}: is no file or folder of annotations", annotations.string());
  }
  const bool voc = data.format == DataFormat::kVoc || holds(annotations, ".xml");
  return voc ? read_voc_folder(folder, annotations, data.workers)
             : read_yolo_set(folder, annotations, data);
}

}  // namespace

bool names_object_set(const std::string& path, DataFormat format) {
  const fs::path given = plain(path);
  if (is_file(given)) {
    const bool is_main = given.parent_path().filename() == "Main";
    return ends_in(given, ".json") || (ends_in(given, ".txt") && is_main);
  }
  if (!is_folder(given)) return false;
  const fs::path beside = annotations_beside(given, format);
  return is_file(beside) || holds(beside, ".xml") || holds(beside, ".txt");
}

ImageList read_object_list(const std::string& path, const std::string& annotations,
                           const DataConfig& data) {
  if (is_pack(path)) {
    ImageList list = read_pack(path);
    if (!list.objects) throw Error("{}: holds no boxes, which detection needs", path);
    return list;
  }
  if (names_shards(path)) {
    ImageList list = read_shards(path, Samples::kBoxed);
    const std::set<std::string> seen(list.class_names.begin(), list.class_names.end());
    const fs::path first = shard_files(path).front();
    return match_object_classes(std::move(list), voc_classes(seen, first, first), "classes.txt");
  }
  const fs::path given = plain(path);
  if (!is_folder(given)) {
    require_file(given, "set of images with boxes (folder, COCO's JSON, VOC's list or pack)");
    if (ends_in(given, ".json")) {
      return read_coco_set(given, annotations.empty() ? images_of(given) : fs::path(annotations));
    }
    if (ends_in(given, ".txt")) return read_voc_names(given, annotations, data.workers);
    throw Error(
        "{}: expected a folder of images, a file of COCO's annotations (.json), a list of "
        "Pascal VOC's (.txt) or a pack",
        path);
  }
  const fs::path beside =
      annotations.empty() ? annotations_beside(given, data.format) : plain(annotations);
  if (beside.empty()) {
    throw Error(
        "{}: no boxes are beside this folder of images: neither annotations/instances_{}."
        "json (COCO), nor Annotations beside JPEGImages or XML files (VOC), nor labels for "
        "images (YOLO); name theirs, data.train_annotations or data.val_annotations",
        path, given.filename().string());
  }
  return read_folder(given, beside, data);
}

ImageList match_object_classes(ImageList list, const std::vector<std::string>& names,
                               const std::string& origin) {
  if (list.class_names == names) return list;
  std::vector<int32_t> labels;
  std::vector<std::string> unknown;
  for (const std::string& name : list.class_names) {
    const auto found = std::ranges::find(names, name);
    labels.push_back(static_cast<int32_t>(found - names.begin()));
    if (found == names.end()) unknown.push_back(name);
  }
  if (!unknown.empty()) {
    throw Error("{}: has the classes '{}', which {} has not (its classes: '{}')", list.origin,
                fmt::join(unknown, "', '"), origin, fmt::join(names, "', '"));
  }
  auto table = std::make_shared<ObjectTable>(*list.objects);
  for (Object& object : table->objects) object.label = labels[object.label];
  if (!table->category_ids.empty()) {
    std::vector<int64_t> ids(names.size(), 0);
    int64_t next = *std::ranges::max_element(table->category_ids);
    for (size_t i = 0; i < labels.size(); ++i) ids[labels[i]] = table->category_ids[i];
    for (int64_t& id : ids) {
      const auto at = static_cast<int32_t>(&id - ids.data());
      if (std::ranges::count(labels, at) == 0) id = ++next;
    }
    table->category_ids = std::move(ids);
  }
  list.objects = std::move(table);
  list.class_names = names;
  return list;
}

}  // namespace mobileone
