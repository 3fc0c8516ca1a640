#include "mobileone/data/png.h"

#include <ATen/ATen.h>
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "mobileone/data/image.h"
#include "mobileone/util/endian.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1a\n";

/// As `JpegDecoder`: libpng, too, reports errors by a call that must not return, so each member
/// function that calls it is a landing place of longjmp and creates nothing that has a destructor.
class PngDecoder {
 public:
  explicit PngDecoder(std::string_view bytes) : rest_(bytes) {
    png_ = png_create_read_struct(
        PNG_LIBPNG_VER_STRING, this,
        [](png_structp png, png_const_charp message) {
          static_cast<PngDecoder*>(png_get_error_ptr(png))->fail(message);
        },
        [](png_structp, png_const_charp) {});
    info_ = png_create_info_struct(png_);
    TORCH_CHECK(info_ != nullptr, "libpng could not be started");
    png_set_read_fn(png_, this, [](png_structp png, png_bytep out, size_t size) {
      static_cast<PngDecoder*>(png_get_io_ptr(png))->read(out, size);
    });
  }
  ~PngDecoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;

  /// False on failure.
  bool read_header() {
    if (setjmp(landing_) != 0) return false;
    png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // the caller has its own
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER,
                                reinterpret_cast<png_const_bytep>("tRNS"), 1);
    png_read_info(png_, info_);
    return true;
  }

  int64_t width() const { return png_get_image_width(png_, info_); }
  int64_t height() const { return png_get_image_height(png_, info_); }

  /// Whether the bytes that are left can hold the pixels: zlib makes no more than 1032 of one.
  /// False means that the end is missing, before memory is taken for what it would hold.
  bool may_be_whole() const {
    const uint64_t bytes = height() * (uint64_t{1} + png_get_rowbytes(png_, info_));
    return bytes / 1032 <= rest_.size();
  }

  /// Writes height · width RGB pixels. False on failure.
  bool read_pixels(uint8_t* pixels) {
    if (setjmp(landing_) != 0) return false;
    const int type = png_get_color_type(png_, info_);
    png_set_strip_16(png_);
    png_set_strip_alpha(png_);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);
    if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png_);
    if ((type & PNG_COLOR_MASK_COLOR) == 0) png_set_gray_to_rgb(png_);
    return read_rows(pixels, 3 * static_cast<size_t>(width()));
  }

  /// "an RGB PNG" where pixels have more than one value each; empty otherwise.
  std::string_view colours() const {
    switch (png_get_color_type(png_, info_)) {
      case PNG_COLOR_TYPE_GRAY:
      case PNG_COLOR_TYPE_PALETTE:
        return {};
      case PNG_COLOR_TYPE_GRAY_ALPHA:
        return "a grey PNG with an alpha channel";
      case PNG_COLOR_TYPE_RGB_ALPHA:
        return "an RGBA PNG";
      default:
        return "an RGB PNG";
    }
  }

  /// Of a pixel's one value.
  int64_t bytes_of_value() const { return png_get_bit_depth(png_, info_) == 16 ? 2 : 1; }

  /// Writes height · width such values. False on failure.
  bool read_values(uint8_t* values) {
    if (setjmp(landing_) != 0) return false;
    png_set_packing(png_);
    return read_rows(values, static_cast<size_t>(width() * bytes_of_value()));
  }

  Error error(const std::string& name) const {
    if (truncated_) return Error("{}: is a truncated PNG", name);
    return Error("{}: is a damaged PNG ({})", name, message_);
  }

 private:
  /// Reads what the transformations, which are set, make of the pixels. For use behind setjmp.
  bool read_rows(uint8_t* out, size_t stride) {
    const int passes = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    if (png_get_rowbytes(png_, info_) != stride) png_error(png_, "rows of another length");
    for (int pass = 0; pass < passes; ++pass) {
      for (size_t row = 0; row < static_cast<size_t>(height()); ++row) {
        png_read_row(png_, out + row * stride, nullptr);
      }
    }
    png_read_end(png_, nullptr);
    return true;
  }

  void read(png_bytep out, size_t size) {
    truncated_ = size > rest_.size();
    if (truncated_) png_error(png_, "truncated");
    std::memcpy(out, rest_.data(), size);
    rest_.remove_prefix(size);
  }

  [[noreturn]] void fail(const char* message) {
    std::snprintf(message_, sizeof message_, "%s", message);
    std::longjmp(landing_, 1);
  }

  std::string_view rest_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf landing_;
  bool truncated_ = false;
  char message_[128] = "";
};

/// Throws Error unless the header is sound and pixels may follow.
void read_header(PngDecoder& decoder, const std::string& name) {
  if (!decoder.read_header()) throw decoder.error(name);
  require_image_size(decoder.width(), decoder.height(), name);
  if (!decoder.may_be_whole()) throw Error("{}: is a truncated PNG", name);
}

std::string encode(const at::Tensor& image, png_uint_32 format, const Palette* palette) {
  const at::Tensor pixels = image.contiguous();
  png_image description{};
  description.version = PNG_IMAGE_VERSION;
  description.width = static_cast<png_uint_32>(pixels.size(1));
  description.height = static_cast<png_uint_32>(pixels.size(0));
  description.format = format;
  description.colormap_entries = palette == nullptr ? 0 : palette->size();
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(description);
  std::string bytes(size, '\0');
  const int written =
      png_image_write_to_memory(&description, bytes.data(), &size, /*convert_to_8bit=*/0,
                                pixels.const_data_ptr(), /*row_stride=*/0, palette);
  TORCH_CHECK(written != 0, "cannot encode a PNG: ", description.message);
  bytes.resize(size);
  return bytes;
}

}  // namespace

bool is_png(std::string_view bytes) { return bytes.starts_with(kPngSignature); }

at::Tensor decode_png(std::string_view bytes, const std::string& name) {
  PngDecoder decoder(bytes);
  read_header(decoder, name);
  at::Tensor image = at::empty({decoder.height(), decoder.width(), 3}, at::kByte);
  if (!decoder.read_pixels(image.mutable_data_ptr<uint8_t>())) throw decoder.error(name);
  return image;
}

at::Tensor decode_png_values(std::string_view bytes, const std::string& name) {
  PngDecoder decoder(bytes);
  read_header(decoder, name);
  if (const std::string_view colours = decoder.colours(); !colours.empty()) {
    throw Error(
        "{}: is {}, expected one value a pixel: grey, or indices into a palette; save each pixel's "
        "class as its value",
        name, colours);
  }
  at::Tensor values =
      at::empty({decoder.height(), decoder.width(), decoder.bytes_of_value()}, at::kByte);
  if (!decoder.read_values(values.mutable_data_ptr<uint8_t>())) throw decoder.error(name);
  return values;
}

std::string encode_png(const at::Tensor& image) { return encode(image, PNG_FORMAT_RGB, nullptr); }

std::string encode_png_indices(const at::Tensor& indices, const Palette& palette) {
  return encode(indices, PNG_FORMAT_RGB_COLORMAP, &palette);
}

std::string_view find_png_chunk(std::string_view png, std::string_view type) {
  constexpr size_t kFrame = 12;  // length, type and check sum, four bytes each
  std::string_view rest = png.substr(std::min(png.size(), kPngSignature.size()));
  while (rest.size() >= kFrame && rest.size() - kFrame >= big_endian(rest, 0, 4)) {
    const size_t length = big_endian(rest, 0, 4);
    if (rest.substr(4, 4) == type) return rest.substr(8, length);
    rest.remove_prefix(kFrame + length);
  }
  return {};
}

}  // namespace mobileone
