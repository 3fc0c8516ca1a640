#pragma once

#include <string>
#include <string_view>

namespace mobileone {

/// What a file is that is not of a kind that is read, for a message: "an AVIF image", "an HTML
/// page", "text that begins with `path,label`", ..., as its first bytes tell, of which 512 are
/// enough; "a file of no known kind" where they tell nothing.
std::string file_kind(std::string_view bytes);

}  // namespace mobileone
