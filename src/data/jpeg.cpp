#include "mobileone/data/jpeg.h"

#include <ATen/ATen.h>

#include <iterator>
#include <utility>

#include "cmyk.h"
#include "jpeg_decoder.h"
#include "jpeg_encoder.h"
#include "mobileone/data/image.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

/// `inks` is [H,W,4], inverted.
at::Tensor rgb_from_inverted_cmyk(const at::Tensor& inks) {
  at::Tensor image = at::empty({inks.size(0), inks.size(1), 3}, at::kByte);
  const uint8_t* in = inks.const_data_ptr<uint8_t>();
  uint8_t* out = image.mutable_data_ptr<uint8_t>();
  const auto inverse = [](uint8_t level) { return static_cast<uint8_t>(255 - level); };
  for (int64_t pixel = 0; pixel < inks.size(0) * inks.size(1); ++pixel, in += 4, out += 3) {
    const uint8_t inks_of_pixel[] = {inverse(in[0]), inverse(in[1]), inverse(in[2])};
    rgb_from_cmyk(inks_of_pixel, in[3], out);
  }
  return image;
}

}  // namespace

bool is_jpeg(std::string_view bytes) { return bytes.starts_with("\xff\xd8\xff"); }

JpegFile::JpegFile(std::string_view bytes, std::string name)
    : bytes_(bytes), name_(std::move(name)), decoder_(std::make_unique<JpegDecoder>()) {
  if (!decoder_->read_header(bytes)) throw decoder_->error(name_);
  require_image_size(width(), height(), name_);
}

JpegFile::~JpegFile() = default;

int64_t JpegFile::height() const { return decoder_->height(); }
int64_t JpegFile::width() const { return decoder_->width(); }
bool JpegFile::has_boxes() const { return decoder_->has_boxes(); }

at::Tensor JpegFile::decode() {
  const at::Tensor pixels = at::empty({height(), width(), decoder_->channels()}, at::kByte);
  if (!decoder_->read_pixels(pixels.mutable_data_ptr<uint8_t>())) throw decoder_->error(name_);
  return decoder_->channels() == 4 ? rgb_from_inverted_cmyk(pixels) : pixels;
}

Patch JpegFile::decode_box(const CropBox& box, int eighths, std::vector<uint8_t>& memory) {
  TORCH_CHECK(has_boxes(), "not an image that is decoded in part");
  const auto down = [=](int64_t pixel) { return pixel * eighths / 8; };
  const auto up = [=](int64_t pixel) { return (pixel * eighths + 7) / 8; };
  const int64_t top = down(box.top), bottom = up(box.top + box.height);
  const int64_t left = down(box.left), right = up(box.left + box.width);
  if (!decoder_->has_end()) throw Error("{}: is a truncated JPEG", name_);
  const auto read = [&](bool own_huffman) {
    if (!decoder_->start_columns(eighths, left, right, own_huffman)) return false;
    const int64_t size = (bottom - top) * decoder_->row_bytes();
    if (std::ssize(memory) < size) memory.resize(size);
    return decoder_->read_rows(top, bottom, memory.data());
  };
  if (!read(true)) {
    if (!decoder_->gave_up()) throw decoder_->error(name_);
    decoder_ = std::make_unique<JpegDecoder>();
    if (!decoder_->read_header(bytes_) || !read(false)) throw decoder_->error(name_);
  }
  const double scale = eighths / 8.0;
  return {.pixels = memory.data() + 3 * (left - decoder_->left()),
          .rows = bottom - top,
          .columns = right - left,
          .stride = decoder_->row_bytes(),
          .top = static_cast<double>(box.top) * scale - static_cast<double>(top),
          .left = static_cast<double>(box.left) * scale - static_cast<double>(left),
          .height = static_cast<double>(box.height) * scale,
          .width = static_cast<double>(box.width) * scale};
}

at::Tensor decode_jpeg(std::string_view bytes, const std::string& name) {
  return JpegFile(bytes, name).decode();
}

std::string encode_jpeg(const at::Tensor& image, int quality) {
  TORCH_CHECK(image.dim() == 3 && image.size(2) == 3 && image.scalar_type() == at::kByte,
              "an image is uint8 [H,W,3], got ", image.scalar_type(), " ", image.sizes());
  const at::Tensor pixels = image.contiguous();
  JpegEncoder encoder;
  TORCH_CHECK(
      encoder.write(pixels.const_data_ptr<uint8_t>(), pixels.size(0), pixels.size(1), quality),
      "cannot encode a JPEG of ", image.sizes());
  return std::string(encoder.bytes());
}

std::string small_jpeg(const at::Tensor& image, int64_t height) {
  constexpr int kQuality = 85;
  if (image.size(0) <= height) return encode_jpeg(image, kQuality);
  const int64_t width = std::max<int64_t>(1, image.size(1) * height / image.size(0));
  return encode_jpeg(resize(image, height, width, Interpolation::kBilinear), kQuality);
}

}  // namespace mobileone
