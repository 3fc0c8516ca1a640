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

}  // namespace mobileone
