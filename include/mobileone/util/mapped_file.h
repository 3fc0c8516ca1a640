#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace mobileone {

/// The bytes of a regular file, read-only; they come into memory as they are touched, without a
/// system call. The file must not change: where it is cut short meanwhile, touching what is gone
/// ends the process with one line that names it, and status 2.
class MappedFile {
 public:
  /// Throws Error naming the path.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return bytes_; }

 private:
  std::string message_;  ///< for who touches what is gone
  std::string_view bytes_;
};

}  // namespace mobileone
