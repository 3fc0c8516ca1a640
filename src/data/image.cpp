#include "mobileone/data/image.h"

#include <ATen/ATen.h>

#include <opencv2/imgcodecs.hpp>
#include <vector>

#include "mobileone/data/exif.h"
#include "mobileone/data/image_storage.h"
#include "mobileone/data/jpeg.h"
#include "mobileone/data/png.h"
#include "mobileone/data/webp.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {

/// OpenCV holds BGR.
at::Tensor swap_red_and_blue(const at::Tensor& image) { return image.flip(2); }

at::Tensor decode_with_opencv(std::string_view bytes, const std::string& name) {
  const cv::Mat encoded(1, static_cast<int>(bytes.size()), CV_8U, const_cast<char*>(bytes.data()));
  cv::Mat decoded;
  try {
    decoded = cv::imdecode(encoded, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  } catch (const cv::Exception& error) {
    throw Error("{}: is not an image that can be read ({})", name, error.err);
  }
  if (decoded.empty()) {
    throw Error("{}: is not an image that can be read (expected JPEG, PNG, ...)", name);
  }
  require_image_size(decoded.cols, decoded.rows, name);
  return swap_red_and_blue(at::from_blob(decoded.data, {decoded.rows, decoded.cols, 3}, at::kByte));
}

at::Tensor decode_first_picture(const WebpAnimation& animation, const std::string& name) {
  require_image_size(animation.width, animation.height, name);
  const at::Tensor picture = decode_with_opencv(animation.picture, name);
  const int64_t height = picture.size(0);
  const int64_t width = picture.size(1);
  if (animation.top + height > animation.height || animation.left + width > animation.width) {
    throw Error("{}: is a damaged WebP animation (its first picture is larger than it)", name);
  }
  at::Tensor canvas = at::zeros({animation.height, animation.width, 3}, at::kByte);
  canvas.narrow(0, animation.top, height).narrow(1, animation.left, width).copy_(picture);
  return canvas;
}

std::string encode(const at::Tensor& image, const char* extension,
                   const std::vector<int>& parameters) {
  TORCH_CHECK(image.dim() == 3 && image.size(2) == 3 && image.scalar_type() == at::kByte,
              "an image is uint8 [H,W,3], got ", image.scalar_type(), " ", image.sizes());
  const at::Tensor bgr = swap_red_and_blue(image);
  const cv::Mat pixels(static_cast<int>(bgr.size(0)), static_cast<int>(bgr.size(1)), CV_8UC3,
                       bgr.data_ptr());
  std::vector<unsigned char> encoded;
  TORCH_CHECK(cv::imencode(extension, pixels, encoded, parameters), "cannot encode ", extension);
  return std::string(encoded.begin(), encoded.end());
}

}  // namespace

at::Tensor decode_image(std::string_view bytes, const std::string& name, bool upright) {
  if (bytes.empty()) throw Error("{}: is not an image: it is empty", name);
  if (is_jpeg(bytes)) {
    const at::Tensor image = decode_jpeg(bytes, name);
    return upright ? turn_upright(image, exif_orientation(bytes)) : image;
  }
  if (is_png(bytes)) return decode_with_opencv(essential_png(bytes, name), name);
  if (const auto animation = webp_animation(bytes, name)) {
    return decode_first_picture(*animation, name);
  }
  return decode_with_opencv(bytes, name);
}

std::string read_image_file(const std::string& path) { return read_file(path, kLargestImageFile); }

at::Tensor read_image(const std::string& path, bool upright) {
  return decode_image(read_image_file(path), path, upright);
}

std::string encode_jpeg(const at::Tensor& image, int quality) {
  return encode(image, ".jpg", {cv::IMWRITE_JPEG_QUALITY, quality});
}

void write_jpeg(const std::string& path, const at::Tensor& image, int quality) {
  write_whole(path, encode_jpeg(image, quality));
}

void write_png(const std::string& path, const at::Tensor& image) {
  write_whole(path, encode(image, ".png", {}));
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
