#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace mobileone {

// Where results are to go, looked at before what takes long: that it can be written, and that
// nothing is lost by it. Whatever is tried is undone. Each throws Error naming the file.

/// Unless `write_whole` could write the file `path`, whose folder is there, and it is none of
/// `inputs` under whatever name (another way to it, a link, a hard link), nor in a folder that is.
void require_output(const std::filesystem::path& path,
                    const std::vector<std::filesystem::path>& inputs = {});

/// Unless the files `names`, of which the first is a page, could be written in the folder `dir`,
/// which is made when it comes to that. Ones that are there may be overwritten only if the page is
/// one of this program, which tells that the others are, too: it is written first.
void require_outputs(const std::filesystem::path& dir, const std::vector<std::string>& names,
                     const std::vector<std::filesystem::path>& inputs = {});

/// What the head of each page of this program holds.
inline constexpr std::string_view kPageMark = "<meta name=\"generator\" content=\"mobileone\"/>";

}  // namespace mobileone
