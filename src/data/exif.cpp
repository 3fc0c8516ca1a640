#include "mobileone/data/exif.h"

#include <ATen/ATen.h>

#include <bit>
#include <cstdint>
#include <optional>

#include "mobileone/util/endian.h"

namespace mobileone {
namespace {

/// Reads integers of a TIFF structure; nothing where it ends before them.
class TiffReader {
 public:
  explicit TiffReader(std::string_view bytes)
      : bytes_(bytes), order_(bytes.starts_with("MM") ? std::endian::big : std::endian::little) {}

  std::optional<uint64_t> read16(uint64_t offset) const { return read(offset, 2); }
  std::optional<uint64_t> read32(uint64_t offset) const { return read(offset, 4); }

 private:
  std::optional<uint64_t> read(uint64_t offset, size_t length) const {
    if (offset + length > bytes_.size()) return std::nullopt;
    return read_number(bytes_, offset, length, order_);
  }

  std::string_view bytes_;
  std::endian order_;
};

/// What follows the heading of the first EXIF segment; empty if there is none.
std::string_view find_exif(std::string_view jpeg) {
  constexpr std::string_view kHeading("Exif\0\0", 6);
  constexpr uint64_t kApp1 = 0xffe1;
  constexpr uint64_t kStartOfScan = 0xffda;
  size_t offset = 2;  // after the start of the image
  while (offset + 4 <= jpeg.size()) {
    const uint64_t marker = big_endian(jpeg, offset, 2);
    if (marker == 0xffff) {  // a fill byte
      ++offset;
      continue;
    }
    const std::string_view segment = jpeg.substr(offset + 2, big_endian(jpeg, offset + 2, 2));
    if (marker < 0xff00 || marker == kStartOfScan || segment.size() < 2) return {};
    const std::string_view contents = segment.substr(2);
    if (marker == kApp1 && contents.starts_with(kHeading)) return contents.substr(kHeading.size());
    offset += 2 + segment.size();
  }
  return {};
}

/// The orientation entry of a TIFF structure's first directory.
std::optional<uint64_t> find_orientation(std::string_view tiff) {
  constexpr uint32_t kOrientation = 274;
  constexpr uint32_t kShort = 3;
  constexpr uint32_t kEntryBytes = 12;  // tag, type, count and value
  if (!tiff.starts_with("II") && !tiff.starts_with("MM")) return std::nullopt;
  const TiffReader reader(tiff);
  if (reader.read16(2) != 42) return std::nullopt;
  const uint64_t directory = reader.read32(4).value_or(0);
  const uint64_t entries = reader.read16(directory).value_or(0);
  for (uint64_t i = 0; i < entries; ++i) {
    const uint64_t entry = directory + 2 + kEntryBytes * i;
    if (reader.read16(entry) != kOrientation) continue;
    if (reader.read16(entry + 2) != kShort || reader.read32(entry + 4) != 1) return std::nullopt;
    return reader.read16(entry + 8);
  }
  return std::nullopt;
}

}  // namespace

int exif_orientation(std::string_view jpeg) {
  const uint64_t orientation = find_orientation(find_exif(jpeg)).value_or(1);
  return orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 1;
}

at::Tensor turn_upright(const at::Tensor& image, int orientation) {
  TORCH_CHECK(orientation >= 1 && orientation <= 8, "an orientation is 1 to 8, got ", orientation);
  // From 5 on, rows and columns are exchanged last.
  constexpr bool kMirrorColumns[] = {false, true, true, false, false, false, true, true};
  constexpr bool kMirrorRows[] = {false, false, true, true, false, true, true, false};
  at::Tensor turned = image;
  if (kMirrorColumns[orientation - 1]) turned = turned.flip(1);
  if (kMirrorRows[orientation - 1]) turned = turned.flip(0);
  if (orientation >= 5) turned = turned.transpose(0, 1);
  return turned.contiguous();
}

}  // namespace mobileone
