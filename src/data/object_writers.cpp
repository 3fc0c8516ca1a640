#include "mobileone/data/object_writers.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <sstream>
#include <utility>
#include <vector>

#include "mobileone/data/box_cut.h"
#include "mobileone/data/image.h"
#include "mobileone/data/image_files.h"
#include "mobileone/util/error.h"
#include "mobileone/util/in_order.h"
#include "mobileone/util/log.h"
#include "mobileone/util/one_line.h"
#include "mobileone/util/progress.h"
#include "new_folder.h"
#include "paths.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

/// Paths below a folder of images: those that the images have in their set, or the names of files.
std::vector<std::string> image_names(const ImageList& list) {
  std::vector<std::string> names;
  std::map<std::string, int64_t> stems;  // an image's annotations have its name but for the ending
  for (int64_t i = 0; i < list.size(); ++i) {
    const std::string own = list.storage->relative_name(i);
    const size_t in_shard = own.find(" > ");
    fs::path path(in_shard == own.npos ? own : own.substr(in_shard + 3));
    path = path.lexically_normal();
    if (path.is_absolute() || *path.begin() == "..") path = path.filename();
    names.push_back(path.string());
    const auto [other, is_new] = stems.emplace(path.replace_extension().string(), i);
    if (!is_new) {
      throw Error("{}: the annotations of {} and {} would have the same name", list.origin,
                  list.name(other->second), one_line(list.name(i)));
    }
  }
  return names;
}

std::string path_with(const char* folder, const std::string& name, const char* ending) {
  return (fs::path(folder) / fs::path(name).replace_extension(ending)).string();
}

/// What a format makes of objects that it cannot say.
struct Counts {
  int64_t objects = 0, crowds = 0, difficult = 0, clipped = 0, outside = 0;
};

/// The annotations of a set, of whose images each is added in its turn.
class AnnotationWriter {
 public:
  AnnotationWriter(const ImageList& list, const NewFolder& folder, Counts& counts)
      : list_(list), folder_(folder), counts_(counts) {}
  virtual ~AnnotationWriter() = default;
  virtual const char* image_folder() const = 0;
  virtual void add(int64_t image, const std::string& name, const ImageSize& size) = 0;
  virtual void finish() = 0;
  /// What became of objects that the format cannot say; empty where there are none.
  virtual std::string loss() const = 0;

 protected:
  const ImageList& list_;
  const NewFolder& folder_;
  Counts& counts_;
};

std::string quoted(const std::string& text) {
  using Json = nlohmann::json;
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

class CocoWriter : public AnnotationWriter {
 public:
  using AnnotationWriter::AnnotationWriter;
  const char* image_folder() const override { return "images"; }

  void add(int64_t image, const std::string& name, const ImageSize& size) override {
    const int64_t id = list_.objects->image_id(image);
    images_ += fmt::format(R"({}{{"id":{},"file_name":{},"width":{},"height":{}}})",
                           images_.empty() ? "" : ",\n", id, quoted(name), size.width, size.height);
    for (const Object& object : list_.objects->of(image)) {
      const Box& box = object.box;
      objects_ += fmt::format(
          R"({}{{"id":{},"image_id":{},"category_id":{},"bbox":[{},{},{},{}],"area":{},)"
          R"("iscrowd":{}{}}})",
          objects_.empty() ? "" : ",\n", ++counts_.objects, id,
          list_.objects->category_id(object.label), box.left, box.top, box.width(), box.height(),
          object.area, object.crowd ? 1 : 0, object.difficult ? R"(,"ignore":1)" : "");
      counts_.difficult += object.difficult;
    }
  }

  void finish() override {
    std::string categories;
    for (int64_t label = 0; label < std::ssize(list_.class_names); ++label) {
      categories += fmt::format(R"({}{{"id":{},"name":{}}})", label == 0 ? "" : ",\n",
                                list_.objects->category_id(label), quoted(list_.class_name(label)));
    }
    folder_.write("annotations/instances_images.json",
                  fmt::format("{{\"images\":[{}],\n\"annotations\":[{}],\n\"categories\":[{}]}}\n",
                              images_, objects_, categories));
  }

  std::string loss() const override {
    if (counts_.difficult == 0) return "";
    return fmt::format("{} difficult objects are written with \"ignore\": 1", counts_.difficult);
  }

 private:
  std::string images_, objects_;  ///< elements of the file's lists
};

class VocWriter : public AnnotationWriter {
 public:
  using AnnotationWriter::AnnotationWriter;
  const char* image_folder() const override { return "JPEGImages"; }

  void add(int64_t image, const std::string& name, const ImageSize& size) override {
    pugi::xml_document document;
    const auto set = [](pugi::xml_node parent, const char* key, const auto& value) {
      parent.append_child(key).text().set(fmt::format("{}", value).c_str());
    };
    pugi::xml_node root = document.append_child("annotation");
    set(root, "filename", name);
    pugi::xml_node sides = root.append_child("size");
    set(sides, "width", size.width);
    set(sides, "height", size.height);
    set(sides, "depth", 3);
    for (const Object& object : list_.objects->of(image)) {
      pugi::xml_node node = root.append_child("object");
      set(node, "name", list_.class_name(object.label));
      set(node, "difficult", object.difficult || object.crowd ? 1 : 0);
      pugi::xml_node box = node.append_child("bndbox");
      set(box, "xmin", object.box.left + 1);  // pixels count from 1
      set(box, "ymin", object.box.top + 1);
      set(box, "xmax", object.box.right);
      set(box, "ymax", object.box.bottom);
      ++counts_.objects;
      counts_.crowds += object.crowd;
    }
    std::ostringstream text;
    document.save(text, "  ");
    folder_.write(path_with("Annotations", name, ".xml"), text.str());
    names_ += fs::path(name).replace_extension().string() + "\n";
  }

  void finish() override { folder_.write("ImageSets/Main/all.txt", names_); }

  std::string loss() const override {
    return counts_.crowds == 0 ? "" : fmt::format("{} crowds become difficult", counts_.crowds);
  }

 private:
  std::string names_;
};

class YoloWriter : public AnnotationWriter {
 public:
  using AnnotationWriter::AnnotationWriter;
  const char* image_folder() const override { return "images"; }

  void add(int64_t image, const std::string& name, const ImageSize& size) override {
    const auto width = static_cast<double>(size.width), height = static_cast<double>(size.height);
    std::string lines;
    for (const Object& object : list_.objects->of(image)) {
      const Box box = clipped(object.box, width, height);
      if (!object.is_learnt()) {
        ++(object.crowd ? counts_.crowds : counts_.difficult);
      } else if (!(box.area() > 0)) {
        ++counts_.outside;
      } else {
        counts_.clipped += box != object.box;
        ++counts_.objects;
        lines += fmt::format("{} {:.14f} {:.14f} {:.14f} {:.14f}\n", object.label,
                             box.center_x() / width, box.center_y() / height, box.width() / width,
                             box.height() / height);
      }
    }
    folder_.write(path_with("labels", name, ".txt"), lines);
  }

  void finish() override {}

  std::string loss() const override {
    std::vector<std::string> losses;
    for (const auto& [count, what] : {std::pair{counts_.crowds, "crowds"},
                                      {counts_.difficult, "difficult objects"},
                                      {counts_.outside, "boxes that are empty or outside"}}) {
      if (count > 0) losses.push_back(fmt::format("{} {} are left out", count, what));
    }
    if (counts_.clipped > 0) losses.push_back(fmt::format("{} boxes are clipped", counts_.clipped));
    return fmt::format("{}", fmt::join(losses, ", "));
  }
};

std::unique_ptr<AnnotationWriter> writer_of(DataFormat format, const ImageList& list,
                                            const NewFolder& folder, Counts& counts) {
  switch (format) {
    case DataFormat::kCoco:
      return std::make_unique<CocoWriter>(list, folder, counts);
    case DataFormat::kVoc:
      return std::make_unique<VocWriter>(list, folder, counts);
    case DataFormat::kYolo:
      return std::make_unique<YoloWriter>(list, folder, counts);
    default:
      throw Error("{}: is no format that boxes are written in; use coco, voc or yolo",
                  to_string(format));
  }
}

}  // namespace

ObjectFilesSummary write_object_files(const ImageList& list, const ObjectFilesOptions& options) {
  const std::vector<std::string> names = image_names(list);
  NewFolder folder(plain(options.output), "data convert");
  Counts counts;
  const auto writer = writer_of(options.format, list, folder, counts);
  folder.write("classes.txt", fmt::format("{}\n", fmt::join(list.class_names, "\n")));
  const bool are_files = dynamic_cast<const ImageFiles*>(list.storage.get()) != nullptr;
  Progress progress("converting", list.size(), "img");
  const auto copy = [&](int64_t i) {
    const StoredImage stored = list.read(i);
    if (stored.is_decoded()) {
      throw Error("{}: holds pixels, not image files, which a folder of images needs", list.origin);
    }
    const ImageSize size = image_size(stored.bytes(), list.name(i));
    const std::string name = (fs::path(writer->image_folder()) / names[i]).string();
    if (!are_files || !folder.link(list.name(i), name)) folder.write(name, stored.bytes());
    return size;
  };
  in_order(0, list.size(), options.threads, copy, [&](int64_t i, const ImageSize& size) {
    writer->add(i, names[i], size);
    progress.update(i + 1, "");
  });
  writer->finish();
  folder.finish();
  if (const std::string loss = writer->loss(); !loss.empty()) {
    log::warning("{}: {}, which {} cannot say", list.origin, loss, to_string(options.format));
  }
  return {list.size(), counts.objects};
}

}  // namespace mobileone
