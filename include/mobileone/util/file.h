#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace mobileone {

/// Writes a file whole or not at all: `write` receives the path of a temporary file beside `path`,
/// which is then synced, renamed over `path`, and the folder synced. Missing parent folders are
/// made. If `write` or any step throws, the temporary file is removed and `path` is untouched; what
/// is no regular file (a folder, a device, a pipe) is never replaced.
/// Throws Error naming the path.
void write_whole(const std::filesystem::path& path,
                 const std::function<void(const std::filesystem::path& temporary)>& write);

/// The temporary file that this process writes for `path`.
std::filesystem::path temporary_beside(const std::filesystem::path& path);

/// The path whose temporary file `path` is by its name, which a killed process leaves behind; empty
/// if it is none.
std::filesystem::path leftover_of(const std::filesystem::path& path);

/// Throws Error if `path` is there and is no regular file, which `write_whole` would not replace.
void require_replaceable(const std::filesystem::path& path);

/// `write_whole` for a text or bytes at hand.
void write_whole(const std::filesystem::path& path, std::string_view contents);

/// Makes `to` the same file as `from` (a hard link; a copy where the file system has none), in one
/// step: a `to` that was there is whole until then. Throws Error.
void link_whole(const std::filesystem::path& from, const std::filesystem::path& to);

/// Renames a whole file over `to` and syncs the folder. Throws Error.
void rename_whole(const std::filesystem::path& from, const std::filesystem::path& to);

/// The contents of a regular file of at most `largest` bytes. Throws Error naming the path and why
/// (a folder, too large, ...), SystemError where the system says so (missing, forbidden, ...).
std::string read_file(const std::filesystem::path& path, uintmax_t largest = uintmax_t{2} << 30);

/// Throws Error unless `path` is a readable regular file; `what` names it in the message
/// ("checkpoint", "configuration").
void require_file(const std::filesystem::path& path, std::string_view what);

}  // namespace mobileone
