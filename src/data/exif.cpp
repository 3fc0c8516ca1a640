#include "mobileone/data/exif.h"

#include <ATen/ATen.h>

#include <bit>
#include <cstdint>
#include <optional>

#include "mobileone/data/jpeg.h"
#include "mobileone/data/png.h"
#include "mobileone/data/webp.h"
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

/// Where a file has orientations: a TIFF structure, and a text of XML. Empty where there is none.
struct ImageMetadata {
  std::string_view exif;
  std::string_view xmp;
};

constexpr std::string_view kExifHeading("Exif\0\0", 6);

/// The first segment of each kind, without its heading.
ImageMetadata jpeg_metadata(std::string_view jpeg) {
  constexpr std::string_view kXmpHeading("http://ns.adobe.com/xap/1.0/\0", 29);
  constexpr uint64_t kApp1 = 0xffe1;
  constexpr uint64_t kStartOfScan = 0xffda;
  ImageMetadata found;
  size_t offset = 2;  // after the start of the image
  while (offset + 4 <= jpeg.size()) {
    const uint64_t marker = big_endian(jpeg, offset, 2);
    if (marker == 0xffff) {  // a fill byte
      ++offset;
      continue;
    }
    const std::string_view segment = jpeg.substr(offset + 2, big_endian(jpeg, offset + 2, 2));
    if (marker < 0xff00 || marker == kStartOfScan || segment.size() < 2) break;
    const std::string_view contents = marker == kApp1 ? segment.substr(2) : std::string_view();
    if (contents.starts_with(kExifHeading) && found.exif.empty()) {
      found.exif = contents.substr(kExifHeading.size());
    }
    if (contents.starts_with(kXmpHeading) && found.xmp.empty()) {
      found.xmp = contents.substr(kXmpHeading.size());
    }
    offset += 2 + segment.size();
  }
  return found;
}

ImageMetadata metadata_of(std::string_view file) {
  if (is_jpeg(file)) return jpeg_metadata(file);
  ImageMetadata found;
  if (is_png(file)) {
    found = {find_png_chunk(file, "eXIf"), find_png_chunk(file, "iTXt")};
    if (!found.xmp.starts_with("XML:com.adobe.xmp")) found.xmp = {};
  }
  if (is_webp(file)) found = {find_webp_chunk(file, "EXIF"), find_webp_chunk(file, "XMP ")};
  if (found.exif.starts_with(kExifHeading)) found.exif.remove_prefix(kExifHeading.size());
  return found;
}

/// The attribute or element `tiff:Orientation`, of one digit.
std::optional<uint64_t> xmp_orientation(std::string_view xmp) {
  constexpr std::string_view kName = "tiff:Orientation";
  for (size_t at = xmp.find(kName); at != std::string_view::npos; at = xmp.find(kName, at + 1)) {
    std::string_view value = xmp.substr(at + kName.size());
    value.remove_prefix(value.starts_with("=\"") ? 2 : value.starts_with('>') ? 1 : value.size());
    if (!value.empty() && value[0] >= '0' && value[0] <= '9') return value[0] - '0';
  }
  return std::nullopt;
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

int exif_orientation(std::string_view file) {
  const ImageMetadata metadata = metadata_of(file);
  const auto by_exif = find_orientation(metadata.exif);
  const uint64_t orientation = (by_exif ? by_exif : xmp_orientation(metadata.xmp)).value_or(1);
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
