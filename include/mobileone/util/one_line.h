#pragma once

#include <string>
#include <string_view>

namespace mobileone {

/// A text of others', such as a name in a file, as it can stand in a message or on a terminal: one
/// line of valid UTF-8. A question mark stands for each character that a terminal would obey
/// instead of showing it: controls (C0, DEL, C1), line separators, marks and overrides of the
/// direction of writing. U+FFFD stands for each byte that is no UTF-8.
std::string one_line(std::string_view text);

}  // namespace mobileone
