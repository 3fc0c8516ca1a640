#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "mobileone/util/descriptor.h"

namespace mobileone {

/// A regular file in an archive.
struct TarMember {
  std::string name;
  uint64_t offset;  ///< of its contents
  uint64_t size;
};

/// Goes through the headers of a tar archive (POSIX ustar and pax, GNU), without its contents. All
/// that it says is checked against the file's length. Used by one thread.
class TarReader {
 public:
  /// Throws Error naming the path.
  explicit TarReader(std::filesystem::path path);
  /// Of an archive that lies in an open file from `begin` to `end`; `path` stands for it in
  /// messages.
  TarReader(std::filesystem::path path, std::shared_ptr<const Descriptor> file, uint64_t begin,
            uint64_t end);

  /// The next regular file; nothing at the end mark. Links, folders and devices are passed over.
  /// Throws Error naming archive and member if a header is damaged, a file is sparse, or the
  /// archive ends before its end mark: it has been cut off then.
  std::optional<TarMember> next();

  /// Throws Error if the member has more than `largest` bytes.
  std::string contents(const TarMember& member, uint64_t largest);

  uint64_t file_size() const { return size_; }
  /// Last modification, in ns.
  int64_t modified() const { return modified_; }

 private:
  struct Header;
  /// What pax and GNU headers say of the file that follows.
  struct Extension {
    std::optional<std::string> name;
    std::optional<uint64_t> size;
  };

  std::string_view block(uint64_t offset);
  std::string read(uint64_t offset, uint64_t length);
  Header read_header();
  void read_pax(const Header& header, Extension& extension);

  std::filesystem::path path_;
  std::shared_ptr<const Descriptor> file_;
  uint64_t size_ = 0;  // of the file, as far as the archive goes
  int64_t modified_ = 0;
  uint64_t position_ = 0;  // of the next header
  std::string window_;     // bytes of the file from window_begin_ on
  uint64_t window_begin_ = 0;
};

/// `length` bytes of a file from `offset` on; fewer where it ends. Throws SystemError naming
/// `path`.
std::string read_at(const Descriptor& file, uint64_t offset, uint64_t length,
                    const std::filesystem::path& path);

}  // namespace mobileone
