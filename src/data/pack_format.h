#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "mobileone/data/pack.h"

/// The parts of a pack that its reader and its writer share.
namespace mobileone::pack_format {

inline constexpr std::string_view kMark = "\x89MPACK\r\n";
inline constexpr uint64_t kVersion = 1, kVersionOfMasks = 2, kVersionOfObjects = 3;
/// As many as are decoded (image.h).
inline constexpr uint64_t kMostPackedPixels = 178'956'970;
inline constexpr size_t kHeaderSize = 128, kEntrySize = 32, kFooterSize = 32, kAlignment = 64;
inline constexpr size_t kObjectSize = 48, kIdSize = 8;
inline constexpr uint32_t kCrowd = 1, kDifficult = 2;  // flags of objects
/// In the header, behind the fingerprint.
inline constexpr size_t kMaskLabelsAt = 76;

constexpr uint64_t aligned(uint64_t offset) {
  return (offset + kAlignment - 1) / kAlignment * kAlignment;
}

struct Entry {
  uint64_t offset = 0;
  uint32_t size = 0;
  uint32_t crc = 0;
  uint32_t height = 0;
  uint32_t width = 0;
  uint32_t label = 0;
  uint32_t name_end = 0;
};

/// How many records, entries and names each image of a list has in a pack of it.
inline int64_t records_each(const ImageList& list) { return list.masks ? 2 : 1; }

/// What the entry of an image says besides where it lies: its label, or the number of its objects.
inline uint32_t label_in(const ImageList& list, int64_t index) {
  if (list.objects) return static_cast<uint32_t>(list.objects->of(index).size());
  return static_cast<uint32_t>(std::max(0, list.labels[index]));
}

std::string header(const PackSettings& settings, const ImageList& list);

void append_objects(std::string& bytes, std::span<const Object> objects);

/// The `i`-th of the objects that `bytes` begin with.
Object object_at(std::string_view bytes, int64_t i);

/// The names of a set's classes and, where it has objects, their ids.
void append_classes(std::string& bytes, const ImageList& list);

/// The ids of a set's images.
void append_image_ids(std::string& bytes, const ImageList& list);

void append_entry(std::string& bytes, const Entry& entry);

/// The `i`-th of the entries that `bytes` begin with.
Entry entry_at(std::string_view bytes, int64_t i);

}  // namespace mobileone::pack_format
