#include "mobileone/data/shard_index.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "mobileone/data/image_files.h"
#include "mobileone/data/image_storage.h"
#include "mobileone/data/voc_xml.h"
#include "mobileone/util/error.h"
#include "mobileone/util/lower_case.h"
#include "mobileone/util/one_line.h"

namespace mobileone {
namespace {

constexpr uint64_t kLargestLabelFile = 1 << 20;  // bytes

// In order of preference: what fields that hold a label end in, keys of a JSON object that do, and
// names of the field with a sample's image, where it has several.
constexpr std::array kLabelEndings = {"cls", "class", "label", "target", "index"};
constexpr std::array kLabelKeys = {
    "label",    "class",    "target",      "cls",        "class_index", "class_id", "label_index",
    "label_id", "category", "category_id", "class_name", "label_name",  "wnid",     "synset"};
constexpr std::array kImageFields = {"", "input", "image", "img"};
constexpr std::string_view kMaskField = "mask";

bool is_label_ending(std::string_view ending) {
  return std::find(kLabelEndings.begin(), kLabelEndings.end(), ending) != kLabelEndings.end();
}

/// Gathers the files of each sample.
class Indexer {
 public:
  Indexer(TarReader reader, const std::string& path, Samples samples)
      : path_(path), samples_(samples), reader_(std::move(reader)) {}

  ShardIndex index() {
    result_.size = reader_.file_size();
    result_.modified = reader_.modified();
    while (auto member = reader_.next()) add(std::move(*member));
    finish_sample();
    return std::move(result_);
  }

 private:
  /// The files of a sample that have the same name up to the last dot: of "7.input.jpg" and
  /// "7.target.cls" the fields "input" and "target", of "7.jpg" and "7.cls" the field "".
  struct Field {
    std::string name;
    std::optional<TarMember> image = {}, json = {}, boxes = {};
    std::vector<std::pair<std::string, TarMember>> labels = {};  ///< by ending

    bool is_sample() const { return image && (json || !labels.empty()); }
    /// "0001" of "0001.mask"; nothing if the name is no mask's.
    std::optional<std::string_view> masked() const {
      const std::string_view all = name;
      if (all == kMaskField) return "";
      const size_t before = all.size() - std::min(all.size(), kMaskField.size() + 1);
      if (!all.ends_with(kMaskField) || all[before] != '.') return std::nullopt;
      return all.substr(0, before);
    }
  };

  void add(TarMember member) {
    const size_t slash = member.name.rfind('/');
    const size_t base = slash == std::string::npos ? 0 : slash + 1;
    const size_t dot = member.name.find('.', base);
    if (dot == std::string::npos || dot == base) return;  // a file of no sample
    if (member.name.substr(0, dot) != sample_) {
      finish_sample();
      sample_ = member.name.substr(0, dot);
    }
    const size_t last_dot = member.name.rfind('.');
    const std::string ending = lower_case(member.name.substr(last_dot + 1));
    const bool is_image = is_image_extension(ending), is_label = is_label_ending(ending);
    const bool may_be_boxes = samples_ == Samples::kBoxed || samples_ == Samples::kEither;
    const bool is_boxes = may_be_boxes && ending == "xml";
    if (!is_image && !is_label && !is_boxes && ending != "json") {
      if (is_other_image_extension(ending)) other_image_ = "." + ending;
      return;
    }
    Field& field = field_named(
        last_dot == dot ? "" : lower_case(member.name.substr(dot + 1, last_dot - dot - 1)));
    if (is_image) {
      if (field.image) fail("has two images");
      field.image = std::move(member);
    } else if (is_label) {
      field.labels.emplace_back(ending, std::move(member));
    } else if (is_boxes) {
      field.boxes = std::move(member);
    } else {
      field.json = std::move(member);
    }
  }

  Field& field_named(const std::string& name) {
    const auto [place, is_new] = field_places_.emplace(name, fields_.size());
    if (is_new) fields_.push_back({.name = name});
    return fields_[place->second];
  }

  void finish_sample() {
    take_masks();
    const bool are_samples = std::any_of(fields_.begin(), fields_.end(),
                                         [](const Field& field) { return field.is_sample(); });
    if (are_samples) {
      for (const Field& field : fields_) {
        if (field.is_sample()) {
          add_sample(field, label_of(field));
        } else if (field.image) {
          leave_out("images beside a sample's own", field.image->name);
        } else if (!field.labels.empty()) {
          leave_out("labels without an image", sample_);
        }
      }
    } else {
      add_images();
    }
    fields_.clear();
    field_places_.clear();
    masks_.clear();
    other_image_.clear();
  }

  /// Sets those images aside that are masks of others.
  void take_masks() {
    std::vector<const Field*> images;
    for (const Field& field : fields_) {
      if (field.image && !field.masked()) images.push_back(&field);
    }
    for (Field& field : fields_) {
      const auto masked = field.masked();
      if (!masked || !field.image || field.is_sample()) continue;
      if (!lower_case(field.image->name).ends_with(".png")) continue;
      const auto named = std::find_if(images.begin(), images.end(),
                                      [&](const Field* image) { return image->name == *masked; });
      const Field* own = named != images.end() ? *named : nullptr;
      if (own == nullptr && masked->empty()) own = sample_image(images);
      if (own == nullptr) continue;
      masks_.emplace(own->name, std::move(*field.image));
      field.image.reset();
    }
  }

  /// Of files in which no image has a label of its own.
  void add_images() {
    std::vector<const Field*> images;
    std::optional<std::string> label;
    bool may_have_label = false;
    for (const Field& field : fields_) {
      if (field.image) images.push_back(&field);
      if (!label) label = label_of(field);
      may_have_label = may_have_label || field.json || !field.labels.empty();
    }
    if (const Field* chosen = sample_image(images)) {
      add_sample(*chosen, label);
    } else if (!images.empty() && may_have_label) {
      fail("has several images, and none is called `input` or `image`");
    } else if (!images.empty()) {
      for (const Field* field : images) add_sample(*field, std::nullopt);
    } else if (!fields_.empty() || !other_image_.empty()) {
      leave_out(other_image_.empty() ? "labels without an image" : other_image_, sample_);
    }
  }

  /// Which of them is the sample's; null where that is not clear.
  static const Field* sample_image(const std::vector<const Field*>& images) {
    if (images.size() == 1) return images.front();
    for (const char* name : kImageFields) {
      for (const Field* field : images) {
        if (field->name == name) return field;
      }
    }
    return nullptr;
  }

  void add_sample(const Field& field, const std::optional<std::string>& label) {
    const TarMember& image = *field.image;
    if (image.size > kLargestImageFile) fail("has an image of more than 1 GiB");
    int32_t number = -1;
    if (label) {
      if (label->empty()) fail("has an empty label");
      number = result_.labels.add(*label, [&] { return place(); });
    } else if (result_.first_unlabelled.empty()) {
      result_.first_unlabelled = place();
    }
    const auto found = masks_.find(field.name);
    const TarMember mask = found == masks_.end() ? TarMember{} : found->second;
    if (mask.size > kLargestImageFile) fail("has a mask of more than 1 GiB");
    if (mask.size == 0 && result_.first_unmasked.empty()) result_.first_unmasked = place();
    const bool other = samples_ == Samples::kEither && (label || mask.size > 0);
    const int32_t objects = field.boxes && !other ? add_objects(*field.boxes) : -1;
    if (objects < 0 && result_.first_unboxed.empty()) result_.first_unboxed = place();
    result_.images.push_back({image.offset, static_cast<uint32_t>(image.size), number,
                              static_cast<uint32_t>(mask.size), mask.offset, objects});
    result_.names.add(image.name);
    result_.mask_names.add(mask.name);
  }

  /// Their number.
  int32_t add_objects(const TarMember& annotation) {
    const std::string name = path_ + " > " + one_line(annotation.name);
    const auto objects =
        parse_voc_xml(reader_.contents(annotation, kLargestLabelFile), name).objects;
    for (const auto& [class_name, box, difficult] : objects) {
      const int32_t label = result_.object_names.add(class_name, [&] { return name; });
      result_.objects.push_back(
          {.box = box, .label = label, .area = box.area(), .difficult = difficult});
    }
    return static_cast<int32_t>(objects.size());
  }

  void leave_out(const std::string& kind, std::string_view what) {
    result_.left_out.add(kind, path_ + " > " + std::string(what));
  }

  std::optional<std::string> label_of(const Field& field) {
    for (const std::string_view ending : kLabelEndings) {
      for (const auto& [own_ending, member] : field.labels) {
        if (own_ending == ending) {
          return std::string(trimmed(reader_.contents(member, kLargestLabelFile)));
        }
      }
    }
    return field.json ? json_label(reader_.contents(*field.json, kLargestLabelFile)) : std::nullopt;
  }

  static std::optional<std::string> json_label(const std::string& text) {
    const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) return std::nullopt;
    for (const char* key : kLabelKeys) {
      const auto found = json.find(key);
      if (found == json.end()) continue;
      if (found->is_string()) return std::string(trimmed(found->get_ref<const std::string&>()));
      if (found->is_number()) return found->dump();
    }
    return std::nullopt;
  }

  std::string place() const { return fmt::format("{}: sample `{}`", path_, one_line(sample_)); }

  [[noreturn]] void fail(std::string_view what) const { throw Error("{} {}", place(), what); }

  const std::string& path_;
  const Samples samples_;
  TarReader reader_;
  ShardIndex result_;
  std::string sample_;
  std::vector<Field> fields_;                   ///< of the sample
  std::map<std::string, size_t> field_places_;  ///< by name
  std::map<std::string, TarMember> masks_;      ///< by the name of the field that they are of
  std::string other_image_;                     ///< what an image that is not read ends in
};

}  // namespace

ShardIndex index_shard(TarReader reader, const std::string& path, Samples samples) {
  return Indexer(std::move(reader), path, samples).index();
}

}  // namespace mobileone
