#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace mobileone {

// An image is a contiguous uint8 tensor [H,W,3], RGB.

/// Larger images are refused before memory is taken for them. Pillow warns at the same size.
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
inline constexpr int64_t kMaxImagePixels = 1 << 22;  // larger ones only take longer
#else
inline constexpr int64_t kMaxImagePixels = 178'956'970;
#endif

/// Decodes a JPEG, PNG, WebP, TIFF, GIF, BMP, PBM, PGM or PPM file, whose first bytes tell which;
/// `name` stands for the image in messages. Pixels are Pillow's `convert("RGB")`: grey is spread,
/// CMYK converted, alpha dropped, 16 bits cut to 8 (for 16-bit grey, where Pillow clips instead,
/// too); of an animation, the first picture. Colour profiles are ignored, and so is the orientation
/// that metadata give, unless `upright` (TIFF's own tag is part of its pixels and always honoured).
/// Throws Error if `bytes` are no such image, a truncated, damaged or too large one.
at::Tensor decode_image(std::string_view bytes, const std::string& name, bool upright = false);

/// Whether `bytes` begin as a file does that `decode_image` decodes.
bool is_image(std::string_view bytes);

struct ImageSize {
  int64_t width, height;  ///< px
};

/// Of the image that `decode_image` would decode of a file. Of JPEG and PNG files the header is
/// read alone. Throws Error.
ImageSize image_size(std::string_view bytes, const std::string& name, bool upright = false);

/// The bytes of an image file, of any size that an image may have. Throws Error.
std::string read_image_file(const std::string& path);

/// Reads and decodes a file. Throws Error.
at::Tensor read_image(const std::string& path, bool upright = false);

/// Writes the file whole or not at all. Throws Error.
void write_jpeg(const std::string& path, const at::Tensor& image, int quality);
void write_png(const std::string& path, const at::Tensor& image);

/// Throws Error where an image would have more than `kMaxImagePixels`, or none.
void require_image_size(int64_t width, int64_t height, const std::string& name);

}  // namespace mobileone
