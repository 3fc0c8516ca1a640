#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mobileone::cli {

/// What the names of files of weights end in that `torch.save`, or this program, wrote.
inline const std::vector<std::string_view> kTorchEndings = {".pth", ".pt", ".bin", ".pth.tar"};

/// Whether a file's name ends so (".html", in small letters), in whatever case.
bool has_ending(std::string_view path, std::string_view ending);

/// The one rule for every file that a command writes: its name ends in one of `endings`, those of
/// what is written, or has no ending at all (digits after a dot are none: "mobileone_0.5"). Throws
/// Error naming `option` otherwise, so that no file's name says what the file is not.
void require_ending(std::string_view option, const std::string& path,
                    const std::vector<std::string_view>& endings);

/// The same where the ending says which format is written, so that there must be one.
void require_format_ending(std::string_view option, const std::string& path,
                           const std::vector<std::string_view>& endings);

/// The same for a folder: its name must not be that of a page, a table or a picture.
void require_folder_name(std::string_view option, const std::string& path);

}  // namespace mobileone::cli
