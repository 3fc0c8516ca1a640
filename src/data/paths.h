#pragma once

#include <filesystem>
#include <system_error>

namespace mobileone {

/// Also false where it cannot be told.
inline bool is_folder(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

/// Likewise.
inline bool is_file(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

/// Without a slash at its end.
inline std::filesystem::path plain(const std::filesystem::path& path) {
  const std::filesystem::path normal = path.lexically_normal();
  return normal.filename().empty() ? normal.parent_path() : normal;
}

/// The folder that holds JPEGImages, at or above that of a list; empty if there is none.
inline std::filesystem::path devkit_of(const std::filesystem::path& list) {
  auto folder = std::filesystem::absolute(list).lexically_normal().parent_path();
  for (; folder.has_relative_path(); folder = folder.parent_path()) {
    if (is_folder(folder / "JPEGImages")) return folder;
  }
  return {};
}

}  // namespace mobileone
