#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace mobileone {

/// A text of others', such as a name in an archive, as it can stand in a message: each control
/// character becomes a question mark.
inline std::string one_line(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return line;
}

}  // namespace mobileone
