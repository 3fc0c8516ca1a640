#pragma once

#include <csetjmp>
#include <cstdint>
#include <cstdlib>
#include <string_view>

// jpeglib.h needs <cstdio> before it.
#include <jpeglib.h>

namespace mobileone {

/// Writes one image; a landing place of longjmp as `JpegDecoder` is.
class JpegEncoder {
 public:
  JpegEncoder() {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = [](j_common_ptr info) {
      std::longjmp(static_cast<JpegEncoder*>(info->client_data)->landing_, 1);
    };
    errors_.output_message = [](j_common_ptr) {};
    jpeg_create_compress(&info_);
  }
  ~JpegEncoder() {
    jpeg_destroy_compress(&info_);
    std::free(bytes_);
  }
  JpegEncoder(const JpegEncoder&) = delete;
  JpegEncoder& operator=(const JpegEncoder&) = delete;

  /// False on failure. `pixels` are RGB.
  bool write(const uint8_t* pixels, int64_t height, int64_t width, int quality) {
    if (setjmp(landing_) != 0) return false;
    jpeg_mem_dest(&info_, &bytes_, &size_);
    info_.image_height = static_cast<JDIMENSION>(height);
    info_.image_width = static_cast<JDIMENSION>(width);
    info_.input_components = 3;
    info_.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info_);
    jpeg_set_quality(&info_, quality, TRUE);
    jpeg_start_compress(&info_, TRUE);
    while (info_.next_scanline < info_.image_height) {
      auto* row = const_cast<uint8_t*>(pixels) + size_t{3} * width * info_.next_scanline;
      jpeg_write_scanlines(&info_, &row, 1);
    }
    jpeg_finish_compress(&info_);
    return true;
  }

  std::string_view bytes() const { return {reinterpret_cast<const char*>(bytes_), size_}; }

 private:
  jpeg_compress_struct info_{};
  jpeg_error_mgr errors_{};
  std::jmp_buf landing_;
  unsigned char* bytes_ = nullptr;
  unsigned long size_ = 0;  // NOLINT: libjpeg's type
};

}  // namespace mobileone
