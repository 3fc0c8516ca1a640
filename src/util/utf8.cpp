#include "mobileone/util/utf8.h"

#include <array>
#include <utility>

namespace mobileone {
namespace {

/// The character that a text begins with, and how many bytes of the text it takes.
std::pair<Character, size_t> first_character(std::string_view text) {
  const Character bad{0xfffd, kReplacementCharacter};
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {{byte(0), text.substr(0, 1)}, 1};
  if (byte(0) < 0xc2 || byte(0) > 0xf4) return {bad, 1};
  const size_t length = byte(0) < 0xe0 ? 2 : byte(0) < 0xf0 ? 3 : 4;
  if (text.size() < length) return {bad, 1};
  char32_t code = byte(0) & (0x7f >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {bad, 1};
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  if (code < kSmallest[length] || code > 0x10ffff || surrogate) return {bad, 1};
  return {{code, text.substr(0, length)}, length};
}

void append_utf8(std::string& text, char32_t code) {
  const auto tail = [&](int shift) { text += static_cast<char>(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xc0 | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    text += static_cast<char>(0xe0 | code >> 12);
    tail(6), tail(0);
  } else {
    text += static_cast<char>(0xf0 | code >> 18);
    tail(12), tail(6), tail(0);
  }
}

std::string from_utf16(std::string_view bytes, bool big_endian) {
  const auto unit = [&](size_t i) -> char32_t {
    const auto first = static_cast<unsigned char>(bytes[i]),
               second = static_cast<unsigned char>(bytes[i + 1]);
    return big_endian ? first << 8 | second : second << 8 | first;
  };
  std::string text;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
    char32_t code = unit(i);
    const bool is_high = code >= 0xd800 && code < 0xdc00;
    if (is_high && i + 3 < bytes.size() && (unit(i + 2) & 0xfc00) == 0xdc00) {
      code = 0x10000 + ((code & 0x3ff) << 10 | (unit(i + 2) & 0x3ff));
      i += 2;
    } else if (code >= 0xd800 && code < 0xe000) {
      code = 0xfffd;  // half of a pair
    }
    append_utf8(text, code);
  }
  return text;
}

}  // namespace

std::vector<Character> characters(std::string_view text) {
  std::vector<Character> found;
  while (!text.empty()) {
    const auto [character, length] = first_character(text);
    found.push_back(character);
    text.remove_prefix(length);
  }
  return found;
}

std::string utf8_of(std::string contents) {
  if (contents.starts_with("\xef\xbb\xbf")) return contents.substr(3);
  if (contents.size() < 2) return contents;
  if (contents.starts_with("\xff\xfe")) return from_utf16(contents.substr(2), false);
  if (contents.starts_with("\xfe\xff")) return from_utf16(contents.substr(2), true);
  if (contents[0] == '\0' || contents[1] == '\0') return from_utf16(contents, contents[0] == '\0');
  return contents;
}

}  // namespace mobileone
