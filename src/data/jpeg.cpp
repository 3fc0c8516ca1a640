#include "mobileone/data/jpeg.h"

#include <ATen/ATen.h>

#include <csetjmp>
#include <cstdio>

// jpeglib.h needs <cstdio> before it.
#include <jerror.h>
#include <jpeglib.h>

#include "mobileone/data/image.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

/// Encoders make 10 scans or so; a small file with many thousands would keep a worker for minutes.
constexpr int kMostScans = 500;

/// libjpeg reports errors by a call that must not return, from C code that no exception may cross:
/// each member function that calls libjpeg is a landing place of longjmp and therefore creates
/// nothing that has a destructor.
class JpegDecoder {
 public:
  JpegDecoder() {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = [](j_common_ptr info) { owner(info).fail(); };
    errors_.emit_message = [](j_common_ptr info, int level) { owner(info).warn(level); };
    errors_.output_message = [](j_common_ptr) {};
    jpeg_create_decompress(&info_);
    info_.progress = &progress_;
    progress_.progress_monitor = [](j_common_ptr info) { owner(info).count_scans(); };
  }
  ~JpegDecoder() { jpeg_destroy_decompress(&info_); }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  /// False on failure.
  bool read_header(std::string_view bytes) {
    if (setjmp(landing_) != 0) return false;
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_read_header(&info_, TRUE);
    const bool inks = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
    info_.out_color_space = inks ? JCS_CMYK : JCS_RGB;
    return true;
  }

  /// Writes height · width · channels bytes. False on failure.
  bool read_pixels(uint8_t* pixels) {
    if (setjmp(landing_) != 0) return false;
    jpeg_start_decompress(&info_);
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW row = pixels + static_cast<size_t>(info_.output_scanline) * width() * channels();
      jpeg_read_scanlines(&info_, &row, 1);
    }
    jpeg_finish_decompress(&info_);
    return true;
  }

  int64_t width() const { return info_.image_width; }
  int64_t height() const { return info_.image_height; }
  int64_t channels() const { return info_.out_color_space == JCS_CMYK ? 4 : 3; }

  Error error(const std::string& name) const {
    if (truncated_) return Error("{}: is a truncated JPEG", name);
    return Error("{}: is a damaged JPEG ({})", name, message_);
  }

 private:
  static JpegDecoder& owner(j_common_ptr info) {
    return *static_cast<JpegDecoder*>(info->client_data);
  }

  [[noreturn]] void fail() {
    errors_.format_message(reinterpret_cast<j_common_ptr>(&info_), message_);
    std::longjmp(landing_, 1);
  }

  /// Called as the decoder goes through the scans: each may cost the time of the whole image.
  void count_scans() {
    if (info_.input_scan_number <= kMostScans) return;
    std::snprintf(message_, sizeof message_, "more than %d scans", kMostScans);
    std::longjmp(landing_, 1);
  }

  void warn(int level) {
    constexpr int kWarning = -1;  // other levels are traces, whose codes mean something else
    if (level != kWarning) return;
    truncated_ = errors_.msg_code == JWRN_JPEG_EOF || errors_.msg_code == JWRN_HIT_MARKER;
    if (truncated_) fail();
  }

  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf landing_;
  bool truncated_ = false;
  char message_[JMSG_LENGTH_MAX] = "";
};

/// Pillow's conversion: 255 - c, scaled by 255 - k, rounded. `inks` is [H,W,4], inverted.
at::Tensor rgb_from_inverted_cmyk(const at::Tensor& inks) {
  at::Tensor image = at::empty({inks.size(0), inks.size(1), 3}, at::kByte);
  const uint8_t* in = inks.const_data_ptr<uint8_t>();
  uint8_t* out = image.mutable_data_ptr<uint8_t>();
  for (int64_t pixel = 0; pixel < inks.size(0) * inks.size(1); ++pixel, in += 4, out += 3) {
    const int light = in[3];
    for (int channel = 0; channel < 3; ++channel) {
      const int product = (255 - in[channel]) * light + 128;
      out[channel] = static_cast<uint8_t>(light - (((product >> 8) + product) >> 8));
    }
  }
  return image;
}

}  // namespace

bool is_jpeg(std::string_view bytes) { return bytes.starts_with("\xff\xd8\xff"); }

at::Tensor decode_jpeg(std::string_view bytes, const std::string& name) {
  JpegDecoder decoder;
  if (!decoder.read_header(bytes)) throw decoder.error(name);
  require_image_size(decoder.width(), decoder.height(), name);
  const at::Tensor pixels =
      at::empty({decoder.height(), decoder.width(), decoder.channels()}, at::kByte);
  if (!decoder.read_pixels(pixels.mutable_data_ptr<uint8_t>())) throw decoder.error(name);
  return decoder.channels() == 4 ? rgb_from_inverted_cmyk(pixels) : pixels;
}

}  // namespace mobileone
