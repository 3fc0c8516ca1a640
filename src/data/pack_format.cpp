#include "pack_format.h"

#include <bit>

#include "mobileone/util/crc32.h"
#include "mobileone/util/endian.h"

namespace mobileone::pack_format {

namespace {

void append_double(std::string& bytes, double value) {
  append_little_endian(bytes, std::bit_cast<uint64_t>(value), 8);
}

/// Of all that a pack says of a set's objects, before they are reduced.
uint32_t crc_of_objects(const ImageList& list) {
  std::string bytes;
  append_objects(bytes, list.objects->objects);
  append_image_ids(bytes, list);
  append_classes(bytes, list);
  return crc32c(bytes);
}

}  // namespace

std::string header(const PackSettings& settings, const ImageList& list) {
  std::string bytes(kMark);
  const uint64_t version = list.objects ? kVersionOfObjects
                           : list.masks ? kVersionOfMasks
                                        : kVersion;
  append_little_endian(bytes, version, 4);
  append_little_endian(bytes, settings.decoded, 4);
  append_little_endian(bytes, list.size(), 8);
  append_little_endian(bytes, settings.decoded ? settings.short_side : 0, 4);
  append_little_endian(bytes, settings.decoded ? settings.max_side : 0, 4);
  append_little_endian(bytes, settings.decoded && settings.upright, 4);
  bytes += fingerprint(list);
  if (list.masks) {
    const MaskLabels& labels = list.mask_labels;
    for (const int64_t value :
         {labels.ignore_label, int64_t{labels.reduce_zero_label}, labels.num_classes}) {
      append_little_endian(bytes, value, 4);
    }
  }
  if (list.objects) append_little_endian(bytes, crc_of_objects(list), 4);
  bytes.resize(kHeaderSize - 4);
  append_little_endian(bytes, crc32c(bytes), 4);
  return bytes;
}

void append_entry(std::string& bytes, const Entry& entry) {
  append_little_endian(bytes, entry.offset, 8);
  for (const uint32_t number :
       {entry.size, entry.crc, entry.height, entry.width, entry.label, entry.name_end}) {
    append_little_endian(bytes, number, 4);
  }
}

Entry entry_at(std::string_view bytes, int64_t i) {
  const size_t at = i * kEntrySize;
  const auto number = [&](size_t offset) {
    return static_cast<uint32_t>(little_endian(bytes, at + offset, 4));
  };
  return {little_endian(bytes, at, 8),
          number(8),
          number(12),
          number(16),
          number(20),
          number(24),
          number(28)};
}

void append_objects(std::string& bytes, std::span<const Object> objects) {
  for (const auto& [box, label, area, crowd, difficult] : objects) {
    for (const double value : {box.left, box.top, box.right, box.bottom, area}) {
      append_double(bytes, value);
    }
    append_little_endian(bytes, label, 4);
    append_little_endian(bytes, (crowd ? kCrowd : 0) | (difficult ? kDifficult : 0), 4);
  }
}

Object object_at(std::string_view bytes, int64_t i) {
  const size_t at = i * kObjectSize;
  const auto number = [&](size_t place) {
    return std::bit_cast<double>(little_endian(bytes, at + 8 * place, 8));
  };
  const uint64_t flags = little_endian(bytes, at + 44, 4);
  return {.box = {number(0), number(1), number(2), number(3)},
          .label = static_cast<int32_t>(little_endian(bytes, at + 40, 4)),
          .area = number(4),
          .crowd = (flags & kCrowd) != 0,
          .difficult = (flags & kDifficult) != 0};
}

void append_classes(std::string& bytes, const ImageList& list) {
  append_little_endian(bytes, list.class_names.size(), 4);
  for (const auto& name : list.class_names) {
    append_little_endian(bytes, name.size(), 4);
    bytes += name;
  }
  for (int64_t label = 0; list.objects && label < std::ssize(list.class_names); ++label) {
    append_little_endian(bytes, list.objects->category_id(label), kIdSize);
  }
}

void append_image_ids(std::string& bytes, const ImageList& list) {
  for (int64_t i = 0; i < list.size(); ++i) {
    append_little_endian(bytes, list.objects->image_id(i), kIdSize);
  }
}

}  // namespace mobileone::pack_format
