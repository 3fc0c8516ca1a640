#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mobileone/data/cut.h"
#include "mobileone/data/resize.h"

namespace mobileone {

/// Whether `bytes` begin as a JPEG file does.
bool is_jpeg(std::string_view bytes);

class JpegDecoder;

/// A JPEG file whose header is read; decodes once, with libjpeg's exact inverse DCT and smooth
/// chroma upsampling, which are Pillow's settings. CMYK and YCCK are taken for inverted, as Adobe
/// writes them and Pillow reads them. Damage that libjpeg can hide is accepted silently; a file
/// that ends early is not. All but the sizes throws Error naming `name`.
class JpegFile {
 public:
  /// `bytes` must outlive it.
  JpegFile(std::string_view bytes, std::string name);
  ~JpegFile();
  JpegFile(const JpegFile&) = delete;
  JpegFile& operator=(const JpegFile&) = delete;

  int64_t height() const;
  int64_t width() const;

  /// Whether a part of it can be decoded: not of inks, nor of unusual samplings of colour.
  bool has_boxes() const;

  /// The image, uint8 RGB [H,W,3].
  at::Tensor decode();

  /// The box, inside the image, decoded at `eighths` / 8 of the size, 1 to 8. At full size its
  /// pixels are those of `decode`; what lies behind its last row is not looked at, so that damage
  /// there goes unnoticed. The pixels are in `memory`, which grows to what it takes.
  Patch decode_box(const CropBox& box, int eighths, std::vector<uint8_t>& memory);

 private:
  std::string_view bytes_;
  std::string name_;
  std::unique_ptr<JpegDecoder> decoder_;
};

/// The image of a JPEG file.
at::Tensor decode_jpeg(std::string_view bytes, const std::string& name);

/// The bytes of a JPEG file, with chroma of half the size; `image` is uint8 RGB [H,W,3], `quality`
/// in 1 to 100.
std::string encode_jpeg(const at::Tensor& image, int quality);

/// A JPEG of the image, made smaller where it is higher than `height`, for a report.
std::string small_jpeg(const at::Tensor& image, int64_t height);

}  // namespace mobileone
