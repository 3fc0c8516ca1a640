#include "mobileone/data/object_sets.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <utility>

#include "mobileone/data/class_folders.h"
#include "mobileone/data/coco.h"
#include "mobileone/data/image.h"
#include "mobileone/data/image_files.h"
#include "mobileone/data/labels.h"
#include "mobileone/data/pack.h"
#include "mobileone/data/segment_classes.h"
#include "mobileone/data/tar_shards.h"
#include "mobileone/data/voc_xml.h"
#include "mobileone/data/yolo_text.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/in_order.h"
#include "mobileone/util/log.h"
#include "mobileone/util/lower_case.h"
#include "mobileone/util/mapped_file.h"
#include "mobileone/util/number.h"
#include "mobileone/util/one_line.h"
#include "paths.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

bool ends_in(const fs::path& path, const char* ending) {
  return lower_case(path.extension().string()) == ending;
}

/// Boxes that annotations should not have.
class UnusualBoxes {
 public:
  void add(const std::string& image) {
    if (count_++ == 0) first_ = image;
  }
  void warn(const std::string& origin, const char* what) const {
    if (count_ == 0) return;
    log::warning("{}: boxes that {}: {}, the first of {}", origin, what, count_, one_line(first_));
  }

 private:
  int64_t count_ = 0;
  std::string first_;
};

/// A list in the making.
class Collector {
 public:
  Collector(const fs::path& root, std::string origin)
      : root_(plain(root).string() + "/"), files_(std::make_shared<ImageFiles>(root_)) {
    list_.origin = std::move(origin);
  }

  /// `file` lies below the root, or anywhere. Sizes of 0 are not known.
  void add(const std::string& file, const std::vector<Object>& objects, int64_t width,
           int64_t height) {
    files_->add(file.starts_with(root_) ? file.substr(root_.size()) : fs::absolute(file).string());
    constexpr double kSlack = 0.01;  // px; of coordinates that were rounded
    const auto right = static_cast<double>(width), bottom = static_cast<double>(height);
    for (const Object& object : objects) {
      const Box& box = object.box;
      if (!(box.area() > 0)) {
        empty_.add(file);
      } else if (width > 0 && (box.left < -kSlack || box.top < -kSlack ||
                               box.right > right + kSlack || box.bottom > bottom + kSlack)) {
        outside_.add(file);
      }
    }
    table_->objects.insert(table_->objects.end(), objects.begin(), objects.end());
    table_->ends.push_back(std::ssize(table_->objects));
    list_.labels.push_back(-1);
  }

  ObjectTable& table() { return *table_; }

  ImageList finish(std::vector<std::string> class_names) {
    empty_.warn(list_.origin, "are empty");
    outside_.warn(list_.origin, "reach out of their images");
    list_.class_names = std::move(class_names);
    list_.storage = files_;
    list_.objects = table_;
    return std::move(list_);
  }

 private:
  const std::string root_;
  std::shared_ptr<ImageFiles> files_;
  std::shared_ptr<ObjectTable> table_ = std::make_shared<ObjectTable>();
  ImageList list_;
  UnusualBoxes empty_, outside_;
};

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
  Collector list(folder, json.string());
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

// Pascal VOC.

struct VocFile {
  std::string image, annotation;
};

/// Classes by name: of classes.txt beside the list or the folders, else Pascal VOC's where these
/// have all, else those that occur.
std::vector<std::string> voc_classes(const std::set<std::string>& seen, const fs::path& list,
                                     const fs::path& folder) {
  std::vector<std::string> names = class_names_beside(list);
  if (names.empty()) names = class_names_beside(folder);
  if (!names.empty()) return names;
  names = segment_class_names(DataFormat::kVoc);
  std::erase(names, "background");
  const auto is_known = [&](const std::string& name) {
    return std::ranges::count(names, name) > 0;
  };
  if (std::ranges::all_of(seen, is_known)) return names;
  return {seen.begin(), seen.end()};
}

ImageList read_voc_set(const std::vector<VocFile>& files, const fs::path& folder,
                       const fs::path& beside, const std::string& origin, int64_t threads) {
  std::vector<VocAnnotation> annotations;
  std::set<std::string> seen;
  in_order(
      0, std::ssize(files), threads,
      [&](int64_t i) { return parse_voc_xml(read_file(files[i].annotation), files[i].annotation); },
      [&](int64_t, VocAnnotation annotation) {
        for (const auto& object : annotation.objects) seen.insert(object.name);
        annotations.push_back(std::move(annotation));
      });
  if (seen.empty()) throw Error("{}: has no objects", origin);
  std::vector<std::string> names = voc_classes(seen, beside, folder);
  std::map<std::string, int32_t> labels;
  for (size_t i = 0; i < names.size(); ++i) labels.emplace(names[i], static_cast<int32_t>(i));
  Collector list(folder, origin);
  for (size_t i = 0; i < files.size(); ++i) {
    std::vector<Object> objects;
    for (const auto& object : annotations[i].objects) {
      const auto label = labels.find(object.name);
      if (label == labels.end()) {
        throw Error("{}: is of the class '{}', which classes.txt does not name",
                    files[i].annotation, object.name);
      }
      objects.push_back({.box = object.box,
                         .label = label->second,
                         .area = object.box.area(),
                         .difficult = object.difficult});
    }
    list.add(files[i].image, objects, annotations[i].width, annotations[i].height);
  }
  return list.finish(std::move(names));
}

/// The image of a name without ending; empty where there is none.
std::string image_named(const fs::path& folder, const std::string& stem) {
  for (const char* ending : {".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG"}) {
    if (const fs::path file = folder / (stem + ending); is_file(file)) return file.string();
  }
  return {};
}

std::string without_image_ending(const std::string& name) {
  fs::path path(name);
  const std::string ending = path.extension().string();
  return !ending.empty() && is_image_extension(ending.substr(1)) ? path.replace_extension().string()
                                                                 : name;
}

/// Names of a list as ImageSets/Main has them: a line each, with 1 or -1 behind in those of a
/// class.
ImageList read_voc_names(const fs::path& file, const std::string& annotations, int64_t threads) {
  fs::path devkit = fs::absolute(file).lexically_normal().parent_path();
  while (devkit.has_relative_path() && !is_folder(devkit / "JPEGImages")) {
    devkit = devkit.parent_path();
  }
  if (!is_folder(devkit / "JPEGImages")) {
    throw Error("{}: is no list of Pascal VOC's: no folder above it holds JPEGImages",
                file.string());
  }
  const fs::path xml = annotations.empty() ? devkit / "Annotations" : fs::path(annotations);
  std::istringstream lines(read_file(file));
  std::vector<VocFile> files;
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream words(line);
    std::string name;
    if (!(words >> name)) continue;
    const std::string stem = without_image_ending(name);
    const auto fail = [&](const char* what, const fs::path& missing) {
      return Error("{}:{}: there is no {} {}", file.string(), number, what,
                   one_line(missing.string()));
    };
    files.push_back({image_named(devkit / "JPEGImages", stem), (xml / (stem + ".xml")).string()});
    if (files.back().image.empty()) throw fail("image", devkit / "JPEGImages" / (stem + ".jpg"));
    if (!is_file(files.back().annotation)) throw fail("annotation", files.back().annotation);
  }
  if (files.empty()) throw Error("{}: lists no images", file.string());
  return read_voc_set(files, devkit / "JPEGImages", file, file.string(), threads);
}

ImageList read_voc_folder(const fs::path& folder, const fs::path& xml, int64_t threads) {
  std::vector<VocFile> files;
  for (const std::string& image : image_files_below(folder.string())) {
    const fs::path stem = fs::path(image).lexically_relative(folder).replace_extension(".xml");
    files.push_back({image, (xml / stem).string()});
    if (is_file(files.back().annotation)) continue;
    throw Error("{}: has no annotation (expected {})", one_line(image),
                one_line(files.back().annotation));
  }
  return read_voc_set(files, folder, xml, folder.string(), threads);
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
  std::vector<std::string> names;
  for (const fs::path& at : {labels, folder, labels.parent_path(), labels / "x"}) {
    if (names.empty()) names = class_names_beside(at);
  }
  struct Labelled {
    ImageSize size;
    std::vector<Object> objects;
  };
  Collector list(folder, folder.string());
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
