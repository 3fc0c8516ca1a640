#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mobileone/data/pack.h"

/// The parts of a pack that its reader and its writer share.
namespace mobileone::pack_format {

inline constexpr std::string_view kMark = "\x89MPACK\r\n";
inline constexpr uint64_t kVersion = 1, kVersionOfMasks = 2;
/// As many as are decoded (image.h).
inline constexpr uint64_t kMostPackedPixels = 178'956'970;
inline constexpr size_t kHeaderSize = 128, kEntrySize = 32, kFooterSize = 32, kAlignment = 64;
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

std::string header(const PackSettings& settings, const ImageList& list);

void append_entry(std::string& bytes, const Entry& entry);

/// The `i`-th of the entries that `bytes` begin with.
Entry entry_at(std::string_view bytes, int64_t i);

}  // namespace mobileone::pack_format
