#include "voc_set.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include "mobileone/data/class_folders.h"
#include "mobileone/data/image_files.h"
#include "mobileone/data/labels.h"
#include "mobileone/data/segment_classes.h"
#include "mobileone/data/voc_xml.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/in_order.h"
#include "mobileone/util/one_line.h"
#include "object_collector.h"
#include "paths.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

struct VocFile {
  std::string image, annotation;
};

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
  ObjectCollector list(folder, origin);
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

}  // namespace

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

ImageList read_voc_names(const fs::path& file, const std::string& annotations, int64_t threads) {
  const fs::path devkit = devkit_of(file);
  if (devkit.empty()) {
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

ImageList read_voc_folder(const fs::path& folder, const fs::path& annotations, int64_t threads) {
  std::vector<VocFile> files;
  for (const std::string& image : image_files_below(folder.string())) {
    const fs::path stem = fs::path(image).lexically_relative(folder).replace_extension(".xml");
    files.push_back({image, (annotations / stem).string()});
    if (is_file(files.back().annotation)) continue;
    throw Error("{}: has no annotation (expected {})", one_line(image),
                one_line(files.back().annotation));
  }
  return read_voc_set(files, folder, annotations, folder.string(), threads);
}

}  // namespace mobileone
