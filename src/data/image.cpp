#include "mobileone/data/image.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "mobileone/data/bmp.h"
#include "mobileone/data/exif.h"
#include "mobileone/data/file_kind.h"
#include "mobileone/data/gif.h"
#include "mobileone/data/image_storage.h"
#include "mobileone/data/jpeg.h"
#include "mobileone/data/png.h"
#include "mobileone/data/pnm.h"
#include "mobileone/data/tiff.h"
#include "mobileone/data/webp.h"
#include "mobileone/util/endian.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {

struct ImageFormat {
  bool (*is)(std::string_view bytes);
  at::Tensor (*decode)(std::string_view bytes, const std::string& name);
};

constexpr ImageFormat kImageFormats[] = {
    {is_jpeg, decode_jpeg}, {is_png, decode_png}, {is_webp, decode_webp}, {is_tiff, decode_tiff},
    {is_gif, decode_gif},   {is_bmp, decode_bmp}, {is_pnm, decode_pnm},
};

}  // namespace

at::Tensor decode_image(std::string_view bytes, const std::string& name, bool upright) {
  for (const ImageFormat& format : kImageFormats) {
    if (!format.is(bytes)) continue;
    const at::Tensor image = format.decode(bytes, name);
    return upright ? turn_upright(image, exif_orientation(bytes)) : image;
  }
  throw Error("{}: is {} (expected JPEG, PNG, WebP, TIFF, GIF, BMP, PBM, PGM or PPM)", name,
              file_kind(bytes));
}

bool is_image(std::string_view bytes) {
  return std::ranges::any_of(kImageFormats, [&](const auto& format) { return format.is(bytes); });
}

ImageSize image_size(std::string_view bytes, const std::string& name, bool upright) {
  constexpr size_t kPngSizes = 16;  // where they are: width and height, four bytes each
  ImageSize size{};
  if (is_jpeg(bytes)) {
    const JpegFile jpeg(bytes, name);
    size = {jpeg.width(), jpeg.height()};
  } else if (is_png(bytes) && bytes.size() >= kPngSizes + 8) {
    size = {static_cast<int64_t>(big_endian(bytes, kPngSizes, 4)),
            static_cast<int64_t>(big_endian(bytes, kPngSizes + 4, 4))};
  } else {
    const at::Tensor image = decode_image(bytes, name);
    size = {image.size(1), image.size(0)};
  }
  require_image_size(size.width, size.height, name);
  if (upright && exif_orientation(bytes) > 4) std::swap(size.width, size.height);  // on its side
  return size;
}

std::string read_image_file(const std::string& path) { return read_file(path, kLargestImageFile); }

at::Tensor read_image(const std::string& path, bool upright) {
  return decode_image(read_image_file(path), path, upright);
}

void write_jpeg(const std::string& path, const at::Tensor& image, int quality) {
  write_whole(path, encode_jpeg(image, quality));
}

void write_png(const std::string& path, const at::Tensor& image) {
  write_whole(path, encode_png(image));
}

void require_image_size(int64_t width, int64_t height, const std::string& name) {
  if (width <= 0 || height <= 0) {
    throw Error("{}: is a damaged image of {} x {} pixels", name, width, height);
  }
  if (height > kMaxImagePixels / width) {
    throw Error("{}: has {} x {} pixels, more than the {} million that are read", name, width,
                height, kMaxImagePixels / 1'000'000);
  }
}

}  // namespace mobileone
