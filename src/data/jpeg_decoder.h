#pragma once

#include <algorithm>
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

// jpeglib.h needs <cstdio> before it.
#include <jerror.h>
#include <jpeglib.h>

// Needs jpeglib.h before it.
#include <jpegint.h>

#include "jpeg_huffman.h"
#include "mobileone/util/error.h"

namespace mobileone {

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

  /// Begins to decode at `eighths` / 8 of the size the columns from `left` to `right` - 1 of that
  /// size, and more beside them. With `own_huffman` a scan that `huffman_decoder` can decode is
  /// left to it. False on failure.
  bool start_columns(int eighths, int64_t left, int64_t right, bool own_huffman) {
    if (setjmp(landing_) != 0) return false;
    info_.scale_num = static_cast<unsigned>(eighths);
    info_.scale_denom = 8;
    jpeg_start_decompress(&info_);
    if (own_huffman && is_plain_scan()) replace_huffman_decoder();
    if (info_.progressive_mode) return true;
    left_ = static_cast<JDIMENSION>(std::max<int64_t>(0, left - kMargin));
    JDIMENSION columns = static_cast<JDIMENSION>(right + kMargin) - left_;
    columns = std::min(columns, info_.output_width - left_);
    jpeg_crop_scanline(&info_, &left_, &columns);
    return true;
  }

  /// Writes rows `top` to `bottom` - 1 of the columns that were begun. False on failure.
  bool read_rows(int64_t top, int64_t bottom, uint8_t* pixels) {
    if (setjmp(landing_) != 0) return false;
    const int64_t skipped = info_.progressive_mode ? 0 : std::max<int64_t>(0, top - kMargin);
    if (skipped > 0) jpeg_skip_scanlines(&info_, static_cast<JDIMENSION>(skipped));
    while (info_.output_scanline < bottom) {
      JSAMPROW rows[kRowsAtOnce];
      const int64_t next = info_.output_scanline;
      for (int64_t i = 0; i < kRowsAtOnce; ++i) {
        rows[i] = pixels + std::max<int64_t>(0, next + i - top) * row_bytes();
      }
      const int64_t count = next < top ? top - next : bottom - next;
      jpeg_read_scanlines(&info_, rows, static_cast<JDIMENSION>(std::min(count, kRowsAtOnce)));
    }
    return true;
  }

  /// Whether it failed because `huffman_decoder` met damage, of which libjpeg knows more to say.
  bool gave_up() const { return gave_up_; }

  /// Of the rows that are read in columns.
  int64_t row_bytes() const { return 3 * static_cast<int64_t>(info_.output_width); }
  /// The column that they begin at.
  int64_t left() const { return left_; }

  /// Whether a mark ends the coded pixels, as in a whole file; its bytes do not occur in them.
  bool has_end() const { return coded_pixels().rfind("\xff\xd9") != std::string_view::npos; }

  /// Whether libjpeg 2.1 decodes parts of such an image to the pixels that they have in the whole:
  /// not for inks, and not for unusual samplings of colour at reduced scales.
  bool has_boxes() const {
    if (channels() != 3) return false;
    for (int i = 0; i < info_.num_components; ++i) {
      const auto& component = info_.comp_info[i];
      const int most = i == 0 ? 2 : 1;
      if (component.h_samp_factor > most || component.v_samp_factor > most) return false;
    }
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
  /// Encoders make 10 scans or so, and each costs up to the time of the whole image: a small file
  /// of many would keep a worker for minutes. 500 is where libjpeg's own programs stop.
  int most_scans() const {
    constexpr int64_t kMostPixelsOfAllScans = 1'000'000'000;  // a few seconds
    return static_cast<int>(
        std::clamp<int64_t>(kMostPixelsOfAllScans / (width() * height()), 50, 500));
  }
  /// libjpeg decodes whole groups of rows, and is handed as many places for rows.
  static constexpr int64_t kRowsAtOnce = 16;
  /// Pixels beside and above a box that smooth chroma needs to be the same. (Smoothed blocks, of
  /// progressive files, would need more, and nothing is won there: of those, all is decoded.)
  static constexpr int64_t kMargin = 2;

  static JpegDecoder& owner(j_common_ptr info) {
    return *static_cast<JpegDecoder*>(info->client_data);
  }

  /// All that follows the header of the first scan.
  std::string_view coded_pixels() const {
    return {reinterpret_cast<const char*>(info_.src->next_input_byte), info_.src->bytes_in_buffer};
  }

  bool is_plain_scan() const {
    return !info_.progressive_mode && !info_.arith_code && info_.restart_interval == 0 &&
           info_.comps_in_scan == info_.num_components;
  }

  /// This thread's, for its memory.
  static HuffmanDecoder& huffman_decoder() {
    thread_local HuffmanDecoder decoder;
    return decoder;
  }

  void replace_huffman_decoder() {
    HuffmanDecoder& huffman = huffman_decoder();
    huffman.start(coded_pixels());
    for (int i = 0; i < info_.comps_in_scan; ++i) {
      const JHUFF_TBL& dc = *info_.dc_huff_tbl_ptrs[info_.cur_comp_info[i]->dc_tbl_no];
      const JHUFF_TBL& ac = *info_.ac_huff_tbl_ptrs[info_.cur_comp_info[i]->ac_tbl_no];
      huffman.add_component({dc.bits, dc.huffval}, {ac.bits, ac.huffval});
    }
    info_.entropy->decode_mcu = [](j_decompress_ptr info, JBLOCKROW* blocks) -> boolean {
      HuffmanDecoder& decoder = huffman_decoder();
      JDIMENSION& column = owner(reinterpret_cast<j_common_ptr>(info)).column_;
      const jpeg_decomp_master& master = *info->master;
      if (column < master.first_iMCU_col || column > master.last_iMCU_col) blocks = nullptr;
      column = column + 1 == info->MCUs_per_row ? 0 : column + 1;
      for (int i = 0; i < info->blocks_in_MCU; ++i) {
        int16_t* block = blocks != nullptr ? *blocks[i] : nullptr;
        if (!decoder.decode(info->MCU_membership[i], block)) {
          owner(reinterpret_cast<j_common_ptr>(info)).give_up();
        }
      }
      return TRUE;
    };
  }

  [[noreturn]] void give_up() {
    gave_up_ = true;
    std::longjmp(landing_, 1);
  }

  [[noreturn]] void fail() {
    errors_.format_message(reinterpret_cast<j_common_ptr>(&info_), message_);
    std::longjmp(landing_, 1);
  }

  /// Called as the decoder goes through the scans: each may cost the time of the whole image.
  void count_scans() {
    if (info_.input_scan_number <= most_scans()) return;
    std::snprintf(message_, sizeof message_, "more than %d scans", most_scans());
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
  bool gave_up_ = false;
  JDIMENSION left_ = 0;
  JDIMENSION column_ = 0;  ///< of the next MCU to be decoded
  char message_[JMSG_LENGTH_MAX] = "";
};

}  // namespace mobileone
