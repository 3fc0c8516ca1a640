#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "mobileone/util/descriptor.h"

namespace mobileone {

/// A file that only grows, such as a log. What has been appended outlives the process at once, and
/// the machine after `sync`.
class AppendFile {
 public:
  /// Opens the file for appending, made if it is missing, with what lies beyond `length` bytes cut
  /// off. Throws Error if it is shorter than `length` or cannot be written.
  AppendFile(std::filesystem::path path, int64_t length);

  const std::filesystem::path& path() const { return path_; }
  int64_t length() const { return length_; }

  /// Throws Error naming the file (a full disk, ...); a part may have been written then.
  void append(std::string_view bytes);
  void sync();

 private:
  [[noreturn]] void fail() const;

  std::filesystem::path path_;
  Descriptor file_;
  int64_t length_;
};

}  // namespace mobileone
