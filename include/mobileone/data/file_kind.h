#pragma once

#include <string>
#include <string_view>

namespace mobileone {

/// What a file is that is no image of a kind that is read, for a message: "an AVIF image", "an HTML
/// page", "text that begins with `path,label`", ..., as its first bytes tell; "no image of a known
/// kind" where they tell nothing.
std::string file_kind(std::string_view bytes);

}  // namespace mobileone
