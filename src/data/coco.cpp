#include "mobileone/data/coco.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "coco_element.h"
#include "mobileone/data/file_kind.h"
#include "mobileone/data/image.h"
#include "mobileone/data/labels.h"
#include "mobileone/util/error.h"
#include "mobileone/util/mapped_file.h"
#include "mobileone/util/one_line.h"

namespace mobileone {
namespace {

Polygon read_polygon(const Element& element, const Json& value) {
  if (!value.is_array() || value.size() < 6 || value.size() % 2 != 0) {
    throw element.unexpected("segmentation", value, "x and y of each of three or more vertices");
  }
  Polygon polygon;
  polygon.reserve(value.size());
  for (const Json& coordinate : value) {
    polygon.push_back(
        element.number(coordinate, "segmentation", -kMostCoordinate, kMostCoordinate));
  }
  return polygon;
}

Rle read_rle(const Element& element, const Json& value) {
  const auto size = value.find("size"), counts = value.find("counts");
  if (size == value.end() || counts == value.end() || !size->is_array() || size->size() != 2 ||
      !(counts->is_array() || counts->is_string())) {
    throw element.unexpected("segmentation", value, "{\"size\": [height, width], \"counts\": ...}");
  }
  Rle rle;
  rle.height = element.integer((*size)[0], "size", 1, kMostSide);
  rle.width = element.integer((*size)[1], "size", 1, kMostSide);
  if (counts->is_string()) {
    rle.counts = parse_rle_counts(counts->get_ref<const std::string&>(), element.place());
  } else {
    rle.counts.reserve(counts->size());
    for (const Json& count : *counts) {
      rle.counts.push_back(static_cast<uint32_t>(
          element.integer(count, "counts", 0, std::numeric_limits<uint32_t>::max())));
    }
  }
  const auto sum = std::accumulate(rle.counts.begin(), rle.counts.end(), int64_t{0});
  if (sum != rle.height * rle.width) {
    throw Error("{}: its `counts` are of {} pixels, expected {} x {}", element.place(), sum,
                rle.height, rle.width);
  }
  return rle;
}

CocoShape read_segmentation(const Element& element) {
  const Json* value = element.optional("segmentation");
  if (value == nullptr) return {};
  if (value->is_object()) return read_rle(element, *value);
  if (!value->is_array()) {
    throw element.unexpected("segmentation", *value, "a list of polygons, or runs");
  }
  std::vector<Polygon> polygons;
  polygons.reserve(value->size());
  for (const Json& polygon : *value) polygons.push_back(read_polygon(element, polygon));
  return polygons;
}

CocoImage read_image(const Element& element, int64_t id) {
  CocoImage image{id, element.text("file_name"), element.integer("height", 1, kMostSide),
                  element.integer("width", 1, kMostSide)};
  require_image_size(image.width, image.height, element.place());
  return image;
}

/// Its category is still an id.
CocoObject read_object(const Element& element, int64_t id) {
  CocoObject object{
      .id = id, .category = element.integer("category_id", 0, kMostId), .box = element.box()};
  const Json* area = element.optional("area");
  object.area = area == nullptr
                    ? object.box[2] * object.box[3]
                    : element.number(*area, "area", 0, kMostCoordinate * kMostCoordinate);
  const Json* is_crowd = element.optional("iscrowd");
  object.is_crowd = is_crowd != nullptr && element.integer(*is_crowd, "iscrowd", 0, 1) == 1;
  object.segmentation = read_segmentation(element);
  return object;
}

/// Takes the elements of a file as they come, and joins them in the end.
class Collector {
 public:
  Collector(const std::string& path, CocoParts parts) : parts_(parts) { result_.path = path; }

  /// What the parser tells of: whether it is to keep a value, which the file's sections are not but
  /// for the element that is being read.
  bool visit(int depth, Json::parse_event_t event, const Json& parsed) {
    using Event = Json::parse_event_t;
    const bool is_end = event == Event::object_end || event == Event::array_end;
    if (depth == 0) {
      if (event == Event::array_start || event == Event::value) throw no_annotations("a JSON list");
      return true;
    }
    if (depth == 1 && event == Event::key) {
      section_ = section_named(parsed.get_ref<const std::string&>());
      return true;
    }
    if (section_ == nullptr) return false;
    if (depth == 1) {
      if (event == Event::object_start || event == Event::value) {
        throw Error("{}: `{}` is no list", result_.path, section_->name);
      }
      section_->is_there = true;
      return true;
    }
    if (depth > 2) return true;
    if (event == Event::array_start || event == Event::value) {
      throw Error("{}: {}[{}] is no object", result_.path, section_->name, section_->count);
    }
    if (!is_end) return true;
    add({result_.path, *section_, parsed});
    ++section_->count;
    return false;
  }

  CocoAnnotations finish() {
    for (const Section* section : {&of_images_, &of_annotations_, &of_categories_}) {
      if (!section->is_there) throw no_annotations(fmt::format("JSON without `{}`", section->name));
    }
    if (result_.images.empty()) throw Error("{}: has no images", result_.path);
    auto& categories = result_.categories;
    std::sort(categories.begin(), categories.end(),
              [](const auto& a, const auto& b) { return a.id < b.id; });
    Indices category_indices;
    for (int64_t i = 0; i < std::ssize(categories); ++i) {
      category_indices.emplace(categories[i].id, i);
    }
    require_known(images_, "image", [](const auto& entry) { return entry.second; });
    require_known(category_indices, "category",
                  [](const auto& entry) { return entry.first.category; });
    for (auto& [object, image_id] : objects_) {
      CocoImage& image = result_.images[images_.at(image_id)];
      object.category = category_indices.at(object.category);
      const auto* rle = std::get_if<Rle>(&object.segmentation);
      if (rle != nullptr && (rle->height != image.height || rle->width != image.width)) {
        throw Error("{}: annotation {}: its runs are of {} x {} px, expected {} x {} as image {}",
                    result_.path, object.id, rle->width, rle->height, image.width, image.height,
                    image.id);
      }
      if (parts_ == CocoParts::kBoxes) object.segmentation = {};
      image.objects.push_back(std::move(object));
    }
    return std::move(result_);
  }

 private:
  using Indices = std::unordered_map<int64_t, int64_t>;  ///< by id

  Section* section_named(std::string_view name) {
    for (Section* section : {&of_images_, &of_annotations_, &of_categories_}) {
      if (name == section->name) return section;
    }
    return nullptr;
  }

  void add(Element element) {
    const int64_t id = element.take_id();
    if (!section_->ids.insert(id).second) throw Error("{}: is there twice", element.place());
    if (section_ == &of_images_) {
      images_.emplace(id, std::ssize(result_.images));
      result_.images.push_back(read_image(element, id));
      require_new(files_, result_.images.back().file_name, element, "file_name");
    } else if (section_ == &of_categories_) {
      result_.categories.push_back({id, legible_name(trimmed(element.text("name")))});
      require_new(names_, result_.categories.back().name, element, "name");
    } else {
      objects_.emplace_back(read_object(element, id), element.integer("image_id", 0, kMostId));
      CocoShape& segmentation = objects_.back().first.segmentation;
      // Runs are still to be compared with the image's size.
      if (parts_ == CocoParts::kBoxes && segmentation.index() == 0) segmentation = {};
    }
  }

  static void require_new(std::unordered_set<std::string>& known, const std::string& text,
                          const Element& element, const char* key) {
    if (known.insert(text).second) return;
    throw Error("{}: its {} `{}` is that of another", element.place(), key, one_line(text));
  }

  /// Of all annotations the ids that `id_of` gives are to be among those.
  template <typename IdOf>
  void require_known(const Indices& indices, const char* what, IdOf id_of) const {
    const auto is_unknown = [&](const auto& entry) { return !indices.contains(id_of(entry)); };
    const auto first = std::ranges::find_if(objects_, is_unknown);
    if (first == objects_.end()) return;
    const auto count = std::ranges::count_if(objects_, is_unknown);
    throw Error(
        "{}: annotation {}: its {}_id is {}, expected the id of one of the {} that the file has{}",
        result_.path, first->first.id, what, id_of(*first), indices.size(),
        count > 1 ? fmt::format("; {} annotations are of unknown ones", count) : "");
  }

  Error no_annotations(const std::string& what) const {
    return Error("{}: is {}, expected an object with COCO's images, annotations and categories",
                 result_.path, what);
  }

  CocoParts parts_;
  CocoAnnotations result_;
  Section of_images_{"images", "image"}, of_annotations_{"annotations", "annotation"},
      of_categories_{"categories", "category"};
  Section* section_ = nullptr;  ///< that is being read; null in what is passed over
  std::vector<std::pair<CocoObject, int64_t>> objects_;  ///< with ids, and that of their image
  Indices images_;
  std::unordered_set<std::string> files_, names_;
};

}  // namespace

void parse_json(const std::string& path, std::string_view bytes, const std::string& expected,
                const Json::parser_callback_t& take) {
  const auto begin = bytes.substr(std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size()));
  if (begin.empty()) throw Error("{}: is empty", path);
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (!begin.starts_with('{') && !begin.starts_with('[') && !begin.starts_with(kByteOrderMark)) {
    throw Error("{}: is {}, expected {} as JSON", path, file_kind(begin.substr(0, 512)), expected);
  }
  try {
    [[maybe_unused]] const Json rest = Json::parse(bytes.begin(), bytes.end(), take);
  } catch (const Json::exception& error) {
    const std::string_view what = error.what();  // "[json.exception.parse_error.101] parse error"
    const auto* syntax = dynamic_cast<const Json::parse_error*>(&error);
    throw Error("{}: {}is no sound JSON: {}", path,
                syntax == nullptr ? "" : fmt::format("byte {}: ", syntax->byte),
                one_line(what.substr(std::min(what.find("] ") + 2, what.size()))));
  }
}

CocoAnnotations read_coco(const std::string& path, CocoParts parts) {
  const MappedFile file(path);
  Collector collector(path, parts);
  parse_json(path, file.bytes(), "COCO's annotations",
             [&](int depth, Json::parse_event_t event, const Json& parsed) {
               return collector.visit(depth, event, parsed);
             });
  return collector.finish();
}

Rle object_rle(const CocoObject& object, const CocoImage& image, const std::string& name) {
  if (const auto* rle = std::get_if<Rle>(&object.segmentation)) return *rle;
  std::vector<Rle> parts;
  for (const Polygon& polygon : std::get<std::vector<Polygon>>(object.segmentation)) {
    parts.push_back(polygon_rle(polygon, image.height, image.width, name));
  }
  if (parts.empty()) {
    return {image.height, image.width, {static_cast<uint32_t>(image.height * image.width)}};
  }
  return unite(parts);
}

}  // namespace mobileone
