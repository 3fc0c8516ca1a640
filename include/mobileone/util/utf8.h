#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mobileone {

/// U+FFFD in UTF-8.
inline constexpr std::string_view kReplacementCharacter = "\uFFFD";

/// A character of a text.
struct Character {
  char32_t code;
  std::string_view bytes;  ///< in the text; U+FFFD's where the text is not valid there
};

/// The characters of UTF-8 (RFC 3629); U+FFFD for each byte that is no part of a valid one.
std::vector<Character> characters(std::string_view text);

/// A text file's contents as UTF-8 without a byte order mark: UTF-16 in either order of bytes, as
/// its mark or a zero byte in its first character tells, is converted; anything else stays as it
/// is.
std::string utf8_of(std::string contents);

}  // namespace mobileone
