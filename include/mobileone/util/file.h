#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace mobileone {

/// Writes a file whole or not at all: `write` receives the path of a temporary file beside `path`,
/// which is then synced, renamed over `path`, and the folder synced. Missing parent folders are
/// made. If `write` or any step throws, the temporary file is removed and `path` is untouched.
/// Throws Error naming the path.
void write_whole(const std::filesystem::path& path,
                 const std::function<void(const std::filesystem::path& temporary)>& write);

/// `write_whole` for a text or bytes at hand.
void write_whole(const std::filesystem::path& path, std::string_view contents);

/// The contents of a regular file. Throws Error naming the path and why (missing, a folder, ...).
std::string read_file(const std::filesystem::path& path);

/// Throws Error unless `path` is a readable regular file; `what` names it in the message
/// ("checkpoint", "configuration").
void require_file(const std::filesystem::path& path, std::string_view what);

}  // namespace mobileone
