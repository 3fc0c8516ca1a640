#include "picture_text.h"

#include <fmt/format.h>

#include <opencv2/imgproc.hpp>

#include "mobileone/util/one_line.h"
#include "mobileone/util/utf8.h"

namespace mobileone {

const int kPictureFont = cv::FONT_HERSHEY_SIMPLEX;

namespace {

std::string ascii(const std::string& text) {
  const std::string line = one_line(text);
  std::string result;
  for (const auto& [code, bytes] : characters(line)) {
    if (code < 0x80) {
      result += bytes;
    } else {
      result += code < 0x10000 ? fmt::format("\\u{:04x}", static_cast<uint32_t>(code))
                               : fmt::format("\\U{:08x}", static_cast<uint32_t>(code));
    }
  }
  return result;
}

}  // namespace

int text_width(const std::string& text, double size) {
  int below = 0;
  return cv::getTextSize(text, kPictureFont, size, 1, &below).width;
}

std::string fitted(const std::string& text, int width, double size) {
  std::string result = ascii(text);
  if (text_width(result, size) <= width) return result;
  while (!result.empty() && text_width(result + "...", size) > width) result.pop_back();
  return result + "...";
}

}  // namespace mobileone
