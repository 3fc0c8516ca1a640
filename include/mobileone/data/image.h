#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace mobileone {

// An image is a contiguous uint8 tensor [H,W,3], RGB.

/// Larger images are refused (Pillow warns at the same size): JPEG and PNG before memory is taken
/// for them, other formats once they are decoded.
inline constexpr int64_t kMaxImagePixels = 178'956'970;

/// Decodes any format whose first bytes tell it; `name` stands for the image in messages. Pixels
/// are Pillow's `convert("RGB")`: grey is spread, CMYK converted, alpha dropped, 16 bits cut to 8
/// (for 16-bit grey, where Pillow clips instead, too); of an animation, the first picture. Colour
/// profiles are ignored, and so are orientations except those of JPEGs' EXIF if `upright`. Throws
/// Error if `bytes` are no image, a truncated, damaged or too large one.
at::Tensor decode_image(std::string_view bytes, const std::string& name, bool upright = false);

/// The bytes of an image file, of any size that an image may have. Throws Error.
std::string read_image_file(const std::string& path);

/// Reads and decodes a file. Throws Error.
at::Tensor read_image(const std::string& path, bool upright = false);

/// The bytes of a JPEG file; `quality` in 1 to 100.
std::string encode_jpeg(const at::Tensor& image, int quality);

/// Writes the file whole or not at all. Throws Error.
void write_jpeg(const std::string& path, const at::Tensor& image, int quality);
void write_png(const std::string& path, const at::Tensor& image);

/// Throws Error where an image would have more than `kMaxImagePixels`, or none.
void require_image_size(int64_t width, int64_t height, const std::string& name);

}  // namespace mobileone
