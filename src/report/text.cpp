#include "mobileone/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "mobileone/util/utf8.h"

namespace mobileone {
namespace {

std::string_view xml_character(const Character& character) {
  switch (character.code) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    case '\t':
    case '\n':
    case '\r':
      return character.bytes;
    default:
      const bool forbidden = character.code < 0x20 || (character.code | 1) == 0xffff;
      return forbidden ? kReplacementCharacter : character.bytes;
  }
}

/// In units of the font's size. Averages over letters; the scripts of East Asia are square.
double relative_width(char32_t code) {
  constexpr std::string_view kNarrow = "fijlrtI.,:;|!'()[]/ ", kWide = "mwMWGOQ@%";
  if (code >= 0x1100) return code < 0x2e80 ? 0.6 : 1.0;
  if (code < 0x80 && kNarrow.find(static_cast<char>(code)) != kNarrow.npos) return 0.33;
  if (code < 0x80 && kWide.find(static_cast<char>(code)) != kWide.npos) return 0.85;
  return 0.58;
}

}  // namespace

std::string valid_utf8(std::string_view text) {
  std::string valid;
  for (const auto& character : characters(text)) valid += character.bytes;
  return valid;
}

std::string xml_escaped(std::string_view text) {
  std::string escaped;
  for (const auto& character : characters(text)) escaped += xml_character(character);
  return escaped;
}

std::string number_or(std::string_view none, double value, int decimals) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, decimals) : std::string(none);
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0);
    }
    for (size_t j = 0; j < 4; ++j) {
      text += j <= count ? kDigits[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return text;
}

double text_width(std::string_view text, double font_size) {
  double width = 0;
  for (const auto& character : characters(text)) width += relative_width(character.code);
  return width * font_size;
}

std::string shortened(std::string_view text, double font_size, double width) {
  if (text_width(text, font_size) <= width) return valid_utf8(text);
  const auto all = characters(text);
  const auto around_ellipsis = [&](size_t kept) {
    std::string result;
    for (size_t i = 0; i < kept - kept / 2; ++i) result += all[i].bytes;
    result += "…";
    for (size_t i = all.size() - kept / 2; i < all.size(); ++i) result += all[i].bytes;
    return result;
  };
  size_t kept = all.size() - 1;
  while (kept > 1 && text_width(around_ellipsis(kept), font_size) > width) --kept;
  return around_ellipsis(kept);
}

}  // namespace mobileone
