#include "mobileone/data/coco_results.h"

#include <fmt/format.h>

#include <iterator>
#include <optional>
#include <unordered_map>
#include <utility>

#include "coco_element.h"
#include "mobileone/util/file.h"
#include "mobileone/util/mapped_file.h"

namespace mobileone {
namespace {

/// Results whose image or category the annotations do not have.
struct Unknown {
  const char* key;
  std::unordered_map<int64_t, int64_t> indices = {};  ///< of those that they have, by id
  int64_t count = 0;
  std::string first = {};

  std::optional<int64_t> find(const Element& element) {
    const int64_t id = element.integer(key, 0, kMostId);
    const auto found = indices.find(id);
    if (found != indices.end()) return found->second;
    if (++count == 1) first = fmt::format("{}: its {} is {}", element.place(), key, id);
    return std::nullopt;
  }

  void require_none(const CocoAnnotations& annotations) const {
    if (count == 0) return;
    throw Error("{}, expected the id of one of the {} that {} has{}", first, indices.size(),
                annotations.path,
                count > 1 ? fmt::format("; {} results are of unknown ones", count) : "");
  }
};

/// Takes the elements of a file as they come.
class ResultsCollector {
 public:
  ResultsCollector(const std::string& path, const CocoAnnotations& annotations)
      : path_(path), annotations_(annotations), found_(annotations.images.size()) {
    for (const CocoImage& image : annotations.images) {
      images_.indices.emplace(image.id, std::ssize(images_.indices));
    }
    for (const CocoCategory& category : annotations.categories) {
      categories_.indices.emplace(category.id, std::ssize(categories_.indices));
    }
  }

  /// What the parser tells of: whether it is to keep a value, which the list is not.
  bool visit(int depth, Json::parse_event_t event, const Json& parsed) {
    using Event = Json::parse_event_t;
    if (depth == 0 && (event == Event::object_start || event == Event::value)) {
      throw Error("{}: is no JSON list, expected COCO's results", path_);
    }
    if (depth != 1) return true;
    if (event == Event::array_start || event == Event::value) {
      throw Error("{}: {}[{}] is no object", path_, section_.name, section_.count);
    }
    if (event != Event::object_end) return true;
    add({path_, section_, parsed});
    ++section_.count;
    return false;
  }

  std::vector<std::vector<CocoDetection>> finish() {
    images_.require_none(annotations_);
    categories_.require_none(annotations_);
    return std::move(found_);
  }

 private:
  void add(const Element& element) {
    const auto image = images_.find(element), category = categories_.find(element);
    const CocoDetection detection{element.box(), category.value_or(0), element.number("score")};
    if (image && category) found_[static_cast<size_t>(*image)].push_back(detection);
  }

  const std::string& path_;
  const CocoAnnotations& annotations_;
  Section section_{"results", "result"};
  Unknown images_{"image_id"}, categories_{"category_id"};
  std::vector<std::vector<CocoDetection>> found_;
};

}  // namespace

std::vector<CocoObject> coco_objects(std::span<const Object> objects) {
  std::vector<CocoObject> result;
  result.reserve(objects.size());
  for (const Object& object : objects) {
    const Box& box = object.box;
    result.push_back({.category = object.label,
                      .box = {box.left, box.top, box.width(), box.height()},
                      .area = object.area,
                      .is_crowd = object.crowd || object.difficult});
  }
  return result;
}

std::vector<CocoDetection> coco_detections(std::span<const Detection> found) {
  std::vector<CocoDetection> result;
  result.reserve(found.size());
  for (const auto& [box, label, score] : found) {
    result.push_back({{box.left, box.top, box.width(), box.height()}, label, score});
  }
  return result;
}

std::vector<std::vector<CocoDetection>> read_coco_results(const std::string& path,
                                                          const CocoAnnotations& annotations) {
  const MappedFile file(path);
  ResultsCollector collector(path, annotations);
  parse_json(path, file.bytes(), "COCO's results",
             [&](int depth, Json::parse_event_t event, const Json& parsed) {
               return collector.visit(depth, event, parsed);
             });
  return collector.finish();
}

void write_coco_results(const std::filesystem::path& path, const ObjectTable& table,
                        std::span<const std::vector<Detection>> found) {
  std::string text = "[";
  for (size_t i = 0; i < found.size(); ++i) {
    for (const auto& [box, label, score] : found[i]) {
      fmt::format_to(std::back_inserter(text),
                     "{}{{\"image_id\":{},\"category_id\":{},\"bbox\":[{},{},{},{}],\"score\":{}}}",
                     text.size() > 1 ? ",\n" : "", table.image_id(static_cast<int64_t>(i)),
                     table.category_id(label), box.left, box.top, box.width(), box.height(), score);
    }
  }
  write_whole(path, text + "]\n");
}

}  // namespace mobileone
