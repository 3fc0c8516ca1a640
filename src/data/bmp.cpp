#include "mobileone/data/bmp.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "mobileone/data/image.h"
#include "mobileone/util/endian.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

enum BmpCompression : uint32_t { kBmpPlain = 0, kBmpRle8 = 1, kBmpRle4 = 2, kBmpMasks = 3 };

using BmpColor = std::array<uint8_t, 3>;

struct BmpHeader {
  int64_t width;
  int64_t height;
  bool top_down;
  int bits;  ///< of a pixel
  uint32_t compression;
  std::array<uint32_t, 3> masks;      ///< of red, green and blue, from 16 bits on
  std::array<BmpColor, 256> palette;  ///< up to 8 bits
  size_t pixels;                      ///< where they begin
};

class BmpFile {
 public:
  BmpFile(std::string_view bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  Error truncated() const { return Error("{}: is a truncated BMP", name_); }
  Error damaged(const std::string& what) const {
    return Error("{}: is a damaged or unusual BMP ({})", name_, what);
  }

  uint32_t number(size_t offset, size_t length) const {
    if (offset > bytes_.size() || bytes_.size() - offset < length) throw truncated();
    return static_cast<uint32_t>(little_endian(bytes_, offset, length));
  }

  BmpHeader read_header() const {
    constexpr size_t kStart = 14;  // "BM", the file's size, and where the pixels begin
    const size_t size = number(kStart, 4);
    const bool core = size == 12;
    if (!core && size != 40 && size != 52 && size != 56 && size != 64 && size != 108 &&
        size != 124) {
      throw damaged(fmt::format("its header has {} bytes", size));
    }
    const size_t bits_at = kStart + (core ? 10 : 14);
    BmpHeader header{};
    header.bits = static_cast<int>(number(bits_at, 2));
    if (core) {
      header.width = number(kStart + 4, 2);
      header.height = number(kStart + 6, 2);
    } else {
      header.width = static_cast<int32_t>(number(kStart + 4, 4));
      const auto height = static_cast<int32_t>(number(kStart + 8, 4));
      header.top_down = height < 0;
      header.height = std::abs(int64_t{height});
      header.compression = number(kStart + 16, 4);
    }
    require_image_size(header.width, header.height, name_);
    if (std::popcount(static_cast<unsigned>(header.bits)) != 1 && header.bits != 24) {
      throw damaged(fmt::format("{} bits a pixel", header.bits));
    }
    if (header.bits == 0 || header.bits > 32) {
      throw damaged(fmt::format("{} bits a pixel", header.bits));
    }
    size_t behind = kStart + size;
    header.masks = read_masks(header, size, behind);
    if (header.bits <= 8) {
      const size_t entry = core ? 3 : 4;
      const uint32_t named = core ? 0 : number(kStart + 32, 4);
      const size_t colors = named == 0 ? size_t{1} << header.bits : named;
      header.palette = read_palette(behind, entry, std::min<size_t>(colors, 256));
      behind += entry * colors;
    }
    header.pixels = number(10, 4);
    // What some programs write there although a palette follows, and what others leave out.
    if (header.pixels == kStart + size || header.pixels == 0) header.pixels = behind;
    return header;
  }

  at::Tensor read_pixels() const {
    const BmpHeader header = read_header();
    switch (header.compression) {
      case kBmpPlain:
        return read_plain(header);
      case kBmpMasks:
        if (header.bits >= 16) return read_plain(header);
        break;
      case kBmpRle8:
        if (header.bits == 8) return read_rle(header);
        break;
      case kBmpRle4:
        if (header.bits == 4) return read_rle(header);
        break;
    }
    throw damaged(fmt::format("compression {} of {} bits a pixel, which is not read",
                              header.compression, header.bits));
  }

 private:
  /// `behind` the header, which masks may follow.
  std::array<uint32_t, 3> read_masks(const BmpHeader& header, size_t size, size_t& behind) const {
    constexpr size_t kMasks = 54;  // where a header has or is followed by them
    std::array<uint32_t, 3> masks{};
    if (header.compression == kBmpMasks && header.bits >= 16) {
      for (size_t i = 0; i < 3; ++i) masks[i] = number(kMasks + 4 * i, 4);
      if (size == 40) behind += 12;
    }
    if (masks != std::array<uint32_t, 3>{}) return masks;
    if (header.bits == 16) return {0x7c00, 0x3e0, 0x1f};
    return {0xff0000, 0xff00, 0xff};
  }

  std::array<BmpColor, 256> read_palette(size_t offset, size_t entry, size_t colors) const {
    std::array<BmpColor, 256> palette;
    for (int i = 0; i < 256; ++i) palette[i].fill(static_cast<uint8_t>(i));  // as Pillow begins
    for (size_t i = 0; i < colors; ++i) {
      const uint32_t color = number(offset + entry * i, 3);
      palette[i] = {static_cast<uint8_t>(color >> 16), static_cast<uint8_t>(color >> 8),
                    static_cast<uint8_t>(color)};
    }
    return palette;
  }

  /// The row of an image that the file's row `i` is.
  static int64_t place(const BmpHeader& header, int64_t i) {
    return header.top_down ? i : header.height - 1 - i;
  }

  at::Tensor read_plain(const BmpHeader& header) const {
    const size_t stride = (header.width * header.bits + 31) / 32 * 4;
    const size_t last = (header.width * header.bits + 7) / 8;  // of the last row, padding may lack
    if (header.pixels > bytes_.size() ||
        bytes_.size() - header.pixels < (header.height - 1) * stride + last) {
      throw truncated();
    }
    at::Tensor image = at::empty({header.height, header.width, 3}, at::kByte);
    for (int64_t i = 0; i < header.height; ++i) {
      const char* row = bytes_.data() + header.pixels + i * stride;
      uint8_t* out = image.mutable_data_ptr<uint8_t>() + place(header, i) * header.width * 3;
      if (header.bits <= 8) {
        read_indices(header, row, out);
      } else {
        read_colors(header, row, out);
      }
    }
    return image;
  }

  static void read_indices(const BmpHeader& header, const char* row, uint8_t* out) {
    const int per_byte = 8 / header.bits;
    for (int64_t x = 0; x < header.width; ++x) {
      const auto shift = header.bits * (per_byte - 1 - x % per_byte);
      const auto byte = static_cast<unsigned char>(row[x / per_byte]);
      out = std::copy_n(header.palette[byte >> shift & ((1 << header.bits) - 1)].data(), 3, out);
    }
  }

  static void read_colors(const BmpHeader& header, const char* row, uint8_t* out) {
    const size_t length = header.bits / 8;
    if (length >= 3 && header.masks == std::array<uint32_t, 3>{0xff0000, 0xff00, 0xff}) {
      for (int64_t x = 0; x < header.width; ++x, row += length, out += 3) {
        for (int channel = 0; channel < 3; ++channel) {
          out[channel] = static_cast<uint8_t>(row[2 - channel]);
        }
      }
      return;
    }
    for (int64_t x = 0; x < header.width; ++x, row += length) {
      const auto pixel = static_cast<uint32_t>(little_endian({row, length}, 0, length));
      for (const uint32_t mask : header.masks) {
        const int shift = mask == 0 ? 0 : std::countr_zero(mask);
        const uint64_t most = std::max(mask >> shift, 1U);
        *out++ = static_cast<uint8_t>(255 * uint64_t{(pixel & mask) >> shift} / most);
      }
    }
  }

  /// Pairs of bytes: a count and a colour, or 0 and a command. What is left out has colour 0.
  at::Tensor read_rle(const BmpHeader& header) const {
    enum Command : uint32_t { kEndOfLine = 0, kEnd = 1, kMove = 2 };
    at::Tensor indices = at::zeros({header.height, header.width}, at::kByte);
    auto* canvas = indices.mutable_data_ptr<uint8_t>();
    int64_t x = 0, y = 0;
    const auto put = [&](uint32_t index) {
      if (x < header.width)
        canvas[place(header, y) * header.width + x++] = static_cast<uint8_t>(index);
    };
    const bool halves = header.bits == 4;
    const auto index_of = [&](uint32_t byte, uint32_t i) {
      if (!halves) return byte;
      return i % 2 == 0 ? byte >> 4 : byte & 15;
    };
    size_t offset = header.pixels;
    while (y < header.height) {
      const uint32_t count = number(offset, 1), second = number(offset + 1, 1);
      offset += 2;
      if (count > 0) {
        for (uint32_t i = 0; i < count; ++i) put(index_of(second, i));
      } else if (second == kEndOfLine) {
        x = 0;
        ++y;
      } else if (second == kEnd) {
        break;
      } else if (second == kMove) {
        x = std::min<int64_t>(x + number(offset, 1), header.width);
        y += number(offset + 1, 1);
        offset += 2;
      } else {
        for (uint32_t i = 0; i < second; ++i) {
          put(index_of(number(offset + (halves ? i / 2 : i), 1), i));
        }
        const size_t taken = halves ? (second + 1) / 2 : second;
        offset += taken + taken % 2;
      }
    }
    at::Tensor image = at::empty({header.height, header.width, 3}, at::kByte);
    auto* out = image.mutable_data_ptr<uint8_t>();
    for (int64_t i = 0; i < indices.numel(); ++i) {
      out = std::copy_n(header.palette[canvas[i]].data(), 3, out);
    }
    return image;
  }

  std::string_view bytes_;
  const std::string& name_;
};

}  // namespace

bool is_bmp(std::string_view bytes) { return bytes.starts_with("BM"); }

at::Tensor decode_bmp(std::string_view bytes, const std::string& name) {
  return BmpFile(bytes, name).read_pixels();
}

}  // namespace mobileone
