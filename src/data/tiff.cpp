#include "mobileone/data/tiff.h"

#include <ATen/ATen.h>
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstring>
#include <memory>
#include <vector>

#include "cmyk.h"
#include "mobileone/data/exif.h"
#include "mobileone/data/image.h"
#include "mobileone/util/error.h"
#include "mobileone/util/one_line.h"

namespace mobileone {
namespace {

/// What the file says of its pixels.
struct TiffLayout {
  int64_t width = 0;
  int64_t height = 0;
  int bits = 1;                                   ///< of a sample
  int samples = 1;                                ///< of a pixel, extra ones included
  int colors = 1;                                 ///< of them those that make its colour
  uint16_t photometric = PHOTOMETRIC_MINISWHITE;  ///< Pillow's default, too
  uint16_t compression = COMPRESSION_NONE;
  uint16_t orientation = ORIENTATION_TOPLEFT;
  bool planes = false;         ///< samples lie in planes of their own
  bool premultiplied = false;  ///< by the sample behind the colours

  /// Samples that are read.
  int used() const { return colors + (premultiplied ? 1 : 0); }
  /// Whether a row of the file is one of the image.
  bool is_rgb() const { return bits == 8 && samples == 3 && colors == 3 && !planes; }
};

/// Unpacks samples of a row to levels of 8 bits, or to indices of a palette as they are.
class LevelReader {
 public:
  LevelReader(int bits, bool indices)
      : bits_(bits),
        scale_(indices || bits > 8 ? 0 : 255 / ((1 << bits) - 1)),
        cut_(std::max(0, bits - 8)) {}

  uint8_t operator()(const uint8_t* row, int64_t sample) const {
    if (bits_ == 8) return row[sample];
    if (bits_ == 16) {  // libtiff has them in the machine's order
      uint16_t value = 0;
      std::memcpy(&value, row + 2 * sample, sizeof value);
      return static_cast<uint8_t>(value >> 8);
    }
    uint32_t value = 0;
    for (int64_t bit = sample * bits_; bit < (sample + 1) * bits_; ++bit) {
      value = value << 1 | (row[bit / 8] >> (7 - bit % 8) & 1);
    }
    return static_cast<uint8_t>(scale_ == 0 ? value >> cut_ : value * scale_);
  }

 private:
  int bits_;
  int scale_;
  int cut_;
};

class TiffFile {
 public:
  TiffFile(std::string_view bytes, const std::string& name) : bytes_(bytes), name_(name) {
    constexpr tmsize_t kMostMemory = tmsize_t{1} << 30;  // for what a file's tags ask for
    const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(
        TIFFOpenOptionsAlloc(), &TIFFOpenOptionsFree);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kMostMemory);
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), &TiffFile::keep_error, this);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), &TiffFile::heed_warning, this);
    file_.reset(TIFFClientOpenExt(
        "", "r", this, &TiffFile::read, &TiffFile::write, &TiffFile::seek,
        [](thandle_t) { return 0; }, &TiffFile::size, &TiffFile::map,
        [](thandle_t, void*, toff_t) {}, options.get()));
    if (file_ == nullptr || lacks_tags_) throw failure();
  }

  at::Tensor decode() {
    const TiffLayout layout = read_layout();
    const bool coded_colors = layout.photometric == PHOTOMETRIC_YCBCR && layout.samples >= 3;
    const bool by_libjpeg = layout.compression == COMPRESSION_JPEG && !layout.planes;
    if (coded_colors && by_libjpeg) {
      TIFFSetField(file_.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    }
    const at::Tensor image =
        coded_colors && !by_libjpeg ? read_by_libtiff(layout) : read_samples(layout);
    return turn_upright(image, layout.orientation);
  }

 private:
  struct Close {
    void operator()(TIFF* file) const { TIFFClose(file); }
  };

  static TiffFile& owner(thandle_t handle) { return *static_cast<TiffFile*>(handle); }

  static tmsize_t read(thandle_t handle, void* out, tmsize_t size) {
    TiffFile& file = owner(handle);
    const std::string_view rest = file.bytes_.substr(std::min(file.offset_, file.bytes_.size()));
    const size_t count = std::min(static_cast<size_t>(size), rest.size());
    std::memcpy(out, rest.data(), count);
    file.offset_ += count;
    return static_cast<tmsize_t>(count);
  }

  static tmsize_t write(thandle_t, void*, tmsize_t) { return 0; }

  static toff_t seek(thandle_t handle, toff_t offset, int from) {
    TiffFile& file = owner(handle);
    const toff_t base = from == SEEK_SET ? 0 : from == SEEK_CUR ? file.offset_ : file.bytes_.size();
    return file.offset_ = base + offset;
  }

  static toff_t size(thandle_t handle) { return owner(handle).bytes_.size(); }

  static int map(thandle_t handle, void** base, toff_t* length) {
    *base = const_cast<char*>(owner(handle).bytes_.data());  // which it only reads
    *length = owner(handle).bytes_.size();
    return 1;
  }

  /// The first says most.
  static int keep_error(TIFF*, void* self, const char*, const char* format, va_list arguments) {
    std::string& message = static_cast<TiffFile*>(self)->message_;
    char text[200];
    std::vsnprintf(text, sizeof text, format, arguments);
    if (message.empty()) message = text;
    return 1;
  }

  /// A palette that lies behind the file's end is a warning to libtiff, which then takes the
  /// indices for grey. All other warnings are of what makes no pixels.
  static int heed_warning(TIFF* tiff, void* self, const char* module, const char* format,
                          va_list arguments) {
    if (!std::string_view(format).starts_with("IO error during reading")) return 1;
    static_cast<TiffFile*>(self)->lacks_tags_ = true;
    return keep_error(tiff, self, module, format, arguments);
  }

  Error failure() const {
    return Error("{}: is a truncated or damaged TIFF{}", name_,
                 message_.empty() ? "" : " (" + one_line(message_) + ")");
  }

  Error unread(const std::string& what) const {
    return Error(
        "{}: is a TIFF of {}, which is not read (expected grey, RGB, palette, CMYK or "
        "YCbCr of up to 16 bits)",
        name_, what);
  }

  uint16_t tag(uint32_t number, uint16_t otherwise) const {
    uint16_t value = otherwise;
    return TIFFGetField(file_.get(), number, &value) == 1 ? value : otherwise;
  }

  TiffLayout read_layout() const {
    TiffLayout layout;
    uint32_t width = 0, height = 0;
    TIFFGetField(file_.get(), TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(file_.get(), TIFFTAG_IMAGELENGTH, &height);
    require_image_size(width, height, name_);
    layout.width = width;
    layout.height = height;
    layout.compression = tag(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
    layout.photometric = tag(TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
    if (layout.compression == COMPRESSION_OJPEG) layout.photometric = PHOTOMETRIC_YCBCR;
    layout.bits = tag(TIFFTAG_BITSPERSAMPLE, 1);
    layout.samples = tag(TIFFTAG_SAMPLESPERPIXEL, 1);
    layout.planes = tag(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE;
    const uint16_t orientation = tag(TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
    if (orientation >= 1 && orientation <= 8) layout.orientation = orientation;
    const uint16_t format = tag(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
    if (layout.bits < 1 || layout.bits > 16 ||
        (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID && layout.bits > 8)) {
      const char* kind = format == SAMPLEFORMAT_IEEEFP ? "floating-point "
                         : format == SAMPLEFORMAT_INT  ? "signed "
                                                       : "";
      throw unread(fmt::format("{}samples of {} bits", kind, layout.bits));
    }
    layout.colors = colors_of(layout);
    constexpr int kMostSamples = 16;
    if (layout.samples < layout.colors || layout.samples > kMostSamples) {
      throw unread(fmt::format("{} samples a pixel", layout.samples));
    }
    uint16_t count = 0, *extras = nullptr;
    if (TIFFGetField(file_.get(), TIFFTAG_EXTRASAMPLES, &count, &extras) == 1 && count > 0) {
      layout.premultiplied = extras[0] == EXTRASAMPLE_ASSOCALPHA && layout.colors != 4 &&
                             layout.samples > layout.colors;
    }
    return layout;
  }

  int colors_of(const TiffLayout& layout) const {
    switch (layout.photometric) {
      case PHOTOMETRIC_MINISWHITE:
      case PHOTOMETRIC_MINISBLACK:
      case PHOTOMETRIC_PALETTE:
        return 1;
      case PHOTOMETRIC_RGB:
        return 3;
      case PHOTOMETRIC_YCBCR:
        return layout.samples == 1 ? 1 : 3;
      case PHOTOMETRIC_SEPARATED:
        return 4;
      case PHOTOMETRIC_CIELAB:
      case PHOTOMETRIC_ICCLAB:
      case PHOTOMETRIC_ITULAB:
        throw unread("CIE L*a*b* colours");
      case PHOTOMETRIC_CFA:
        throw unread("a camera's raw sensor values");
      default:
        throw unread(fmt::format("colours of kind {}", layout.photometric));
    }
  }

  /// Colours as luma and chroma, whose chroma may be of fewer pixels.
  at::Tensor read_by_libtiff(const TiffLayout& layout) {
    const at::Tensor pixels = at::empty({layout.height, layout.width, 4}, at::kByte);
    // Asked for the orientation that the file has, it turns nothing.
    const int read = TIFFReadRGBAImageOriented(
        file_.get(), static_cast<uint32_t>(layout.width), static_cast<uint32_t>(layout.height),
        static_cast<uint32_t*>(pixels.mutable_data_ptr()), layout.orientation, /*stop=*/1);
    if (read != 1) throw failure();
    return pixels.narrow(2, 0, 3).contiguous();
  }

  /// Block by block: a block is a tile, or the rows of a strip, of all planes.
  at::Tensor read_samples(const TiffLayout& layout) {
    const bool tiled = TIFFIsTiled(file_.get()) != 0;
    uint32_t columns = static_cast<uint32_t>(layout.width), rows = 0;
    if (tiled) {
      TIFFGetField(file_.get(), TIFFTAG_TILEWIDTH, &columns);
      TIFFGetField(file_.get(), TIFFTAG_TILELENGTH, &rows);
    } else {
      TIFFGetFieldDefaulted(file_.get(), TIFFTAG_ROWSPERSTRIP, &rows);
      rows = std::min(rows, static_cast<uint32_t>(layout.height));
    }
    const auto block_bytes =
        static_cast<uint64_t>(tiled ? TIFFTileSize64(file_.get()) : TIFFStripSize64(file_.get()));
    const auto row_bytes = static_cast<uint64_t>(tiled ? TIFFTileRowSize64(file_.get())
                                                       : TIFFScanlineSize64(file_.get()));
    // A tile may be larger than a small image, but not without bound.
    const uint64_t most = std::max<uint64_t>(
        1 << 24, 4 * static_cast<uint64_t>(layout.height * layout.width * layout.samples));
    const uint64_t needed =
        (uint64_t{columns} * layout.bits * (layout.planes ? 1 : layout.samples) + 7) / 8;
    if (rows == 0 || columns == 0 || block_bytes == 0 || block_bytes > most || row_bytes < needed ||
        block_bytes / rows < row_bytes) {
      throw failure();
    }

    const at::Tensor image = at::empty({layout.height, layout.width, 3}, at::kByte);
    const int planes = layout.planes ? layout.used() : 1;
    std::vector<std::vector<uint8_t>> blocks(planes, std::vector<uint8_t>(block_bytes));
    const LevelReader level(layout.bits, layout.photometric == PHOTOMETRIC_PALETTE);
    const Palette palette = read_palette(layout);
    std::vector<uint8_t> levels(layout.used() * int64_t{columns});
    for (int64_t top = 0; top < layout.height; top += rows) {
      const int64_t height = std::min<int64_t>(rows, layout.height - top);
      for (int64_t left = 0; left < layout.width; left += columns) {
        const int64_t width = std::min<int64_t>(columns, layout.width - left);
        for (int plane = 0; plane < planes; ++plane) {
          read_block(tiled, left, top, plane, height * row_bytes, blocks[plane]);
        }
        for (int64_t row = 0; row < height; ++row) {
          uint8_t* out =
              image.mutable_data_ptr<uint8_t>() + ((top + row) * layout.width + left) * 3;
          if (layout.is_rgb()) {
            std::memcpy(out, blocks[0].data() + row * row_bytes, 3 * width);
            continue;
          }
          for (int sample = 0; sample < layout.used(); ++sample) {
            const uint8_t* packed = blocks[layout.planes ? sample : 0].data() + row * row_bytes;
            const int64_t step = layout.planes ? 1 : layout.samples;
            const int64_t first = layout.planes ? 0 : sample;
            for (int64_t x = 0; x < width; ++x) {
              levels[x * layout.used() + sample] = level(packed, first + x * step);
            }
          }
          write_rgb(layout, palette, levels.data(), width, out);
        }
      }
    }
    return image;
  }

  void read_block(bool tiled, int64_t left, int64_t top, int plane, uint64_t expected,
                  std::vector<uint8_t>& block) {
    const auto x = static_cast<uint32_t>(left), y = static_cast<uint32_t>(top);
    const auto sample = static_cast<uint16_t>(plane);
    const auto size = static_cast<tmsize_t>(block.size());
    const tmsize_t read =
        tiled ? TIFFReadEncodedTile(file_.get(), TIFFComputeTile(file_.get(), x, y, 0, sample),
                                    block.data(), size)
              : TIFFReadEncodedStrip(file_.get(), TIFFComputeStrip(file_.get(), y, sample),
                                     block.data(), size);
    if (read < 0 || static_cast<uint64_t>(read) < expected) throw failure();
  }

  using Palette = std::array<std::array<uint8_t, 3>, 256>;

  /// 16 bits a colour are cut to 8; old writers put 8 bits there.
  Palette read_palette(const TiffLayout& layout) const {
    Palette palette{};
    if (layout.photometric != PHOTOMETRIC_PALETTE) return palette;
    if (layout.bits > 8) throw unread(fmt::format("a palette of {} bits", layout.bits));
    std::array<uint16_t*, 3> channels{};
    if (TIFFGetField(file_.get(), TIFFTAG_COLORMAP, &channels[0], &channels[1], &channels[2]) !=
        1) {
      throw failure();
    }
    const int colors = 1 << layout.bits;
    const bool wide = std::any_of(channels.begin(), channels.end(), [&](const uint16_t* channel) {
      return std::any_of(channel, channel + colors, [](uint16_t value) { return value > 255; });
    });
    for (int i = 0; i < colors; ++i) {
      for (int c = 0; c < 3; ++c) {
        palette[i][c] = static_cast<uint8_t>(wide ? channels[c][i] >> 8 : channels[c][i]);
      }
    }
    return palette;
  }

  static void write_rgb(const TiffLayout& layout, const Palette& palette, const uint8_t* in,
                        int64_t width, uint8_t* out) {
    for (int64_t x = 0; x < width; ++x, in += layout.used(), out += 3) {
      if (layout.photometric == PHOTOMETRIC_PALETTE) {
        std::copy_n(palette[in[0]].data(), 3, out);
      } else if (layout.colors == 4) {
        rgb_from_cmyk(in, 255 - in[3], out);
      } else {
        for (int c = 0; c < 3; ++c) {
          const uint8_t level = in[layout.colors == 3 ? c : 0];
          out[c] = layout.premultiplied ? divided(level, in[layout.colors]) : level;
        }
      }
      if (layout.photometric == PHOTOMETRIC_MINISWHITE) {
        std::transform(out, out + 3, out, [](uint8_t level) { return uint8_t(255 - level); });
      }
    }
  }

  static uint8_t divided(uint8_t level, uint8_t alpha) {
    return alpha == 0 ? uint8_t{0} : static_cast<uint8_t>(std::min(255, 255 * level / alpha));
  }

  std::string_view bytes_;
  const std::string& name_;
  size_t offset_ = 0;
  std::string message_;
  bool lacks_tags_ = false;
  std::unique_ptr<TIFF, Close> file_;
};

}  // namespace

bool is_tiff(std::string_view bytes) {
  using namespace std::string_view_literals;
  for (const auto start : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv}) {
    if (bytes.starts_with(start)) return true;
  }
  return false;
}

at::Tensor decode_tiff(std::string_view bytes, const std::string& name) {
  return TiffFile(bytes, name).decode();
}

}  // namespace mobileone
