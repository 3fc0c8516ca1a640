#include "mobileone/data/pack.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <functional>
#include <memory>
#include <utility>

#include "mobileone/config/config.h"
#include "mobileone/data/labels.h"
#include "mobileone/util/crc32.h"
#include "mobileone/util/endian.h"
#include "mobileone/util/error.h"
#include "mobileone/util/mapped_file.h"
#include "mobileone/util/one_line.h"
#include "pack_format.h"

namespace mobileone {
namespace {

using namespace pack_format;

/// The parts of a pack's bytes, as they lie in it.
struct Sections {
  bool decoded;
  int64_t records_each;  ///< of an image: 2 where it has a mask
  int64_t images;
  bool has_objects;
  std::string_view entries;
  std::string_view rest;  ///< of the index
};

std::vector<int64_t> ids_at(std::string_view bytes, size_t place, int64_t count) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < count; ++i) {
    ids.push_back(static_cast<int64_t>(little_endian(bytes, place + i * kIdSize, kIdSize)));
  }
  return ids;
}

Error damaged_pack(const std::string& name, std::string_view what) {
  return Error("{}: is a damaged pack ({}); make it again with `mobileone data pack`", name, what);
}

Sections sections_of(std::string_view bytes, const std::string& name) {
  if (bytes.substr(0, kMark.size()) != kMark) throw Error("{}: is not a pack", name);
  if (bytes.size() < kHeaderSize + kFooterSize) throw damaged_pack(name, "it is cut off");
  const uint64_t version = little_endian(bytes, 8, 4);
  if (version < kVersion || version > kVersionOfObjects) {
    throw Error("{}: is a pack of version {}; this program reads versions {} to {}", name, version,
                kVersion, kVersionOfObjects);
  }
  if (crc32c(bytes.substr(0, kHeaderSize - 4)) != little_endian(bytes, kHeaderSize - 4, 4)) {
    throw damaged_pack(name, "its header fails the check sum");
  }
  const std::string_view footer = bytes.substr(bytes.size() - kFooterSize);
  if (!footer.ends_with(kMark)) throw damaged_pack(name, "it is cut off");
  const uint64_t begin = little_endian(footer, 0, 8), size = little_endian(footer, 8, 8);
  const uint64_t end = bytes.size() - kFooterSize;
  if (begin < kHeaderSize || begin > end || size != end - begin) {
    throw damaged_pack(name, "its index lies outside");
  }
  const std::string_view index = bytes.substr(begin, size);
  if (crc32c(index) != little_endian(footer, 16, 4)) {
    throw damaged_pack(name, "its index fails the check sum");
  }
  const uint64_t images = little_endian(bytes, 16, 8);
  const uint64_t entries = (version == kVersionOfMasks ? 2 : 1) * kEntrySize;  // of an image
  if (images == 0 || images > size / entries) throw damaged_pack(name, "it counts wrongly");
  return {little_endian(bytes, 12, 4) != 0,  static_cast<int64_t>(entries / kEntrySize),
          static_cast<int64_t>(images),      version == kVersionOfObjects,
          index.substr(0, images * entries), index.substr(images * entries)};
}

/// What a header says of masks' values.
MaskLabels mask_labels_of(std::string_view bytes, const std::string& name) {
  const auto number = [&](size_t i) {
    return static_cast<int32_t>(little_endian(bytes, kMaskLabelsAt + 4 * i, 4));
  };
  const MaskLabels labels{
      .ignore_label = number(0), .reduce_zero_label = number(1) != 0, .num_classes = number(2)};
  if (labels.num_classes < 1 || labels.num_classes > kMostMaskClasses) {
    throw damaged_pack(name, "its masks have an impossible number of classes");
  }
  return labels;
}

/// Takes the objects and the images' ids from `bytes`, which then begin with the classes.
ObjectTable take_objects(const Sections& sections, std::string_view& bytes,
                         const std::string& name) {
  ObjectTable table;
  uint64_t count = 0;
  for (int64_t i = 0; i < sections.images; ++i) {
    count += entry_at(sections.entries, i).label;
    table.ends.push_back(static_cast<int64_t>(count));
  }
  const uint64_t ids = sections.images * kIdSize;
  if (ids > bytes.size() || count > (bytes.size() - ids) / kObjectSize) {
    throw damaged_pack(name, "its objects are cut off");
  }
  for (uint64_t i = 0; i < count; ++i) {
    table.objects.push_back(object_at(bytes, static_cast<int64_t>(i)));
  }
  table.image_ids = ids_at(bytes, count * kObjectSize, sections.images);
  bytes.remove_prefix(count * kObjectSize + ids);
  return table;
}

/// Takes the classes' ids from `bytes`, which then hold the images' names. Throws Error where the
/// table lies.
void take_category_ids(ObjectTable& table, int64_t classes, std::string_view& bytes,
                       const std::string& name) {
  if (bytes.size() < classes * kIdSize) throw damaged_pack(name, "its classes are cut off");
  table.category_ids = ids_at(bytes, 0, classes);
  bytes.remove_prefix(classes * kIdSize);
  if (std::ranges::adjacent_find(table.category_ids, std::greater_equal()) !=
      table.category_ids.end()) {
    throw damaged_pack(name, "two classes have one id");
  }
  std::vector<int64_t> ids = table.image_ids;
  std::ranges::sort(ids);
  if (std::ranges::adjacent_find(ids) != ids.end())
    throw damaged_pack(name, "two images have one id");
  const auto is_sound = [&](const Object& object) {
    const auto& [left, top, right, bottom] = object.box;
    return std::ranges::all_of(std::array{left, top, right, bottom, object.area},
                               [](double value) { return std::isfinite(value); }) &&
           object.label >= 0 && object.label < classes;
  };
  const auto wrong = std::ranges::find_if_not(table.objects, is_sound);
  if (wrong == table.objects.end()) return;
  throw damaged_pack(name, fmt::format("object {} is wrong", wrong - table.objects.begin()));
}

/// Takes the classes' names from `bytes`, which then hold the images' names.
std::vector<std::string> take_classes(std::string_view& bytes, const std::string& name) {
  const auto take = [&](uint64_t length) {
    if (length > bytes.size()) throw damaged_pack(name, "its classes are cut off");
    const std::string_view taken = bytes.substr(0, length);
    bytes.remove_prefix(length);
    return taken;
  };
  const uint64_t count = little_endian(take(4), 0, 4);
  if (count > kMostClasses) throw damaged_pack(name, "it counts too many classes");
  std::vector<std::string> classes;
  for (uint64_t i = 0; i < count; ++i) {
    classes.push_back(legible_name(take(little_endian(take(4), 0, 4))));
  }
  return classes;
}

/// The images of a pack, or their masks.
class PackStorage : public ImageStorage {
 public:
  enum Part { kImages, kMasks };

  /// `file` stays mapped as long as this; null where the bytes lie in memory.
  PackStorage(std::string_view bytes, std::shared_ptr<const MappedFile> file, std::string path,
              const Sections& sections, std::string_view names, Part part)
      : bytes_(bytes),
        file_(std::move(file)),
        path_(std::move(path)),
        sections_(sections),
        names_(names),
        part_(part) {}

  std::string name(int64_t index) const override {
    return path_ + " > " + one_line(relative_name(index));
  }

  std::string relative_name(int64_t index) const override {
    const int64_t i = place(index);
    const uint32_t begin = i == 0 ? 0 : entry_at(sections_.entries, i - 1).name_end;
    return std::string(names_.substr(begin, entry_at(sections_.entries, i).name_end - begin));
  }

  StoredImage read(int64_t index) const override {
    const Entry entry = entry_at(sections_.entries, place(index));
    const std::string_view record = bytes_.substr(entry.offset, entry.size);
    if (record.empty()) {
      throw Error("{}: could not be read when the pack was made", name(index));
    }
    if (crc32c(record) != entry.crc) {
      throw Error("{}: fails its check sum: the pack is damaged, make it again", name(index));
    }
    if (!sections_.decoded) return StoredImage(record);
    std::vector<int64_t> shape = {entry.height, entry.width};
    if (part_ == kImages) shape.push_back(3);
    return StoredImage(at::from_blob(const_cast<char*>(record.data()), shape, at::kByte));
  }

  std::optional<uint64_t> file_size(int64_t index) const override {
    if (sections_.decoded) return std::nullopt;
    return entry_at(sections_.entries, place(index)).size;
  }

 private:
  /// Among the entries.
  int64_t place(int64_t index) const { return sections_.records_each * index + part_; }

  std::string_view bytes_;
  std::shared_ptr<const MappedFile> file_;
  std::string path_;
  Sections sections_;
  std::string_view names_;
  Part part_;
};

bool fits_pixels(const Entry& entry, uint64_t channels) {
  const uint64_t pixels = uint64_t{entry.height} * entry.width;
  return pixels <= kMostPackedPixels && entry.size == channels * pixels;
}

/// Whether a record is one that the writer could have written behind one that ends at `end`.
bool is_sound(const Entry& entry, uint64_t end, uint64_t index_offset) {
  return entry.offset == aligned(end) && entry.offset <= index_offset &&
         entry.size <= index_offset - entry.offset;
}

/// Whether the writer could have written the entries of an image, and perhaps of its mask.
bool are_sound(const Entry& image, const Entry* mask, bool decoded, int64_t classes) {
  const int64_t label = image.label;
  if (label >= kMostClasses || (mask == nullptr && classes > 0 && label >= classes)) return false;
  const auto is_file = [](const Entry& entry) { return entry.height == 0 && entry.width == 0; };
  if (!(decoded ? fits_pixels(image, 3) : is_file(image))) return false;
  if (mask == nullptr) return true;
  return (decoded ? fits_pixels(*mask, 1) : is_file(*mask)) && mask->height == image.height &&
         mask->width == image.width && (mask->size == 0) == (image.size == 0);
}

/// `file` is what `bytes` are mapped from, if they are.
ImageList parse(std::string_view bytes, const std::string& name,
                const std::shared_ptr<const MappedFile>& file) {
  const Sections sections = sections_of(bytes, name);
  const bool has_masks = sections.records_each == 2, has_objects = sections.has_objects;
  std::string_view names = sections.rest;
  ObjectTable objects;
  if (has_objects) objects = take_objects(sections, names, name);
  ImageList list{name, take_classes(names, name), {}, nullptr};
  const auto classes = std::ssize(list.class_names);
  if (has_objects) take_category_ids(objects, classes, names, name);
  if (has_masks) {
    list.mask_labels = mask_labels_of(bytes, name);
    if (classes > 0 && classes != list.mask_labels.num_classes) {
      throw damaged_pack(name, "it counts its masks' classes wrongly");
    }
  }
  list.labels.reserve(sections.images);
  const uint64_t index_offset = sections.entries.data() - bytes.data();
  uint64_t end = kHeaderSize, name_end = 0;
  for (int64_t i = 0; i < sections.images; ++i) {
    std::array<Entry, 2> parts;
    bool sound = true;
    for (int64_t part = 0; part < sections.records_each; ++part) {
      Entry& entry = parts[part];
      entry = entry_at(sections.entries, sections.records_each * i + part);
      sound = sound && is_sound(entry, end, index_offset) && entry.name_end >= name_end &&
              entry.name_end <= names.size();
      end = entry.offset + entry.size;
      name_end = entry.name_end;
    }
    const Entry* mask = has_masks ? &parts[1] : nullptr;
    if (has_objects) parts[0].label = 0;
    if (!sound || !are_sound(parts[0], mask, sections.decoded, classes)) {
      throw damaged_pack(name, fmt::format("entry {} of its index is wrong", i));
    }
    const bool has_label = !has_masks && !has_objects;
    list.labels.push_back(has_label ? static_cast<int32_t>(parts[0].label) : -1);
  }
  if (name_end != names.size() || aligned(end) != index_offset) {
    throw damaged_pack(name, "its index does not fit its records");
  }
  const auto storage = [&](PackStorage::Part part) {
    return std::make_shared<PackStorage>(bytes, file, name, sections, names, part);
  };
  list.storage = storage(PackStorage::kImages);
  if (has_masks) list.masks = storage(PackStorage::kMasks);
  if (has_objects) list.objects = std::make_shared<ObjectTable>(std::move(objects));
  return list;
}

}  // namespace

bool is_pack(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;  // a pipe would wait
  std::ifstream stream(path, std::ios::binary);
  char begin[kMark.size()] = "";
  stream.read(begin, sizeof begin);
  return std::string_view(begin, stream.gcount()) == kMark;
}

ImageList read_pack(const std::string& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  return parse(file->bytes(), path, file);
}

ImageList parse_pack(std::string_view bytes, const std::string& name) {
  return parse(bytes, name, nullptr);
}

}  // namespace mobileone
