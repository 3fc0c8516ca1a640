#include "mobileone/data/tar_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "mobileone/util/endian.h"
#include "mobileone/util/file.h"
#include "mobileone/util/one_line.h"
#include "mobileone/util/system_error.h"

namespace mobileone {
namespace {

constexpr uint64_t kBlock = 512;
/// Read at once: a header, a label's few bytes, and the next header.
constexpr uint64_t kWindow = 4 * kBlock;
constexpr uint64_t kLongestName = 64 << 10;  // and other headers' texts

std::string_view until_null(std::string_view field) { return field.substr(0, field.find('\0')); }

std::optional<uint64_t> number_in(std::string_view text, int base) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

/// Octal digits among blanks, or (GNU) a big-endian number behind a byte of 0x80.
std::optional<uint64_t> number_in(std::string_view field) {
  if (static_cast<unsigned char>(field[0]) == 0x80) {
    const std::string_view high = field.substr(1, field.size() - 9);
    if (high.find_first_not_of('\0') != std::string_view::npos) return std::nullopt;
    return big_endian(field, field.size() - 8, 8);
  }
  const size_t begin = field.find_first_not_of(' ');
  if (begin == std::string_view::npos) return 0;
  std::string_view digits = field.substr(begin);
  digits = digits.substr(0, digits.find_first_of(std::string_view(" \0", 2)));
  return digits.empty() ? 0 : number_in(digits, 8);
}

/// The sum of a header's bytes with blanks for the sum itself; some writers take bytes as signed.
bool sum_is_right(std::string_view header) {
  int64_t plain = 0, with_signs = 0;
  for (size_t i = 0; i < header.size(); ++i) {
    const char byte = i >= 148 && i < 156 ? ' ' : header[i];
    plain += static_cast<unsigned char>(byte);
    with_signs += static_cast<signed char>(byte);
  }
  const auto stored = number_in(header.substr(148, 8));
  return stored &&
         (static_cast<int64_t>(*stored) == plain || static_cast<int64_t>(*stored) == with_signs);
}

std::string name_in(std::string_view header) {
  const std::string_view name = until_null(header.substr(0, 100));
  const std::string_view prefix = until_null(header.substr(345, 155));
  const bool is_posix = header.substr(257, 6) == std::string_view("ustar\0", 6);
  if (!is_posix || prefix.empty()) return std::string(name);
  return std::string(prefix) + "/" + std::string(name);
}

}  // namespace

std::string read_at(const Descriptor& file, uint64_t offset, uint64_t length,
                    const std::filesystem::path& path) {
  std::string bytes(length, '\0');
  size_t done = 0;
  while (done < length) {
    const ssize_t count =
        ::pread(file.get(), bytes.data() + done, length - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      throw SystemError(errno, "{}: cannot be read: {}", path.string(), std::strerror(errno));
    }
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

struct TarReader::Header {
  char type;
  std::string name;
  uint64_t size;    // of the contents that follow
  uint64_t offset;  // of those
};

TarReader::TarReader(std::filesystem::path path)
    : path_(std::move(path)), file_([&] {
        require_file(path_, "tar shard");
        return std::make_shared<const Descriptor>(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
      }()) {
  struct stat status;
  if (!*file_ || ::fstat(file_->get(), &status) != 0) {
    throw SystemError(errno, "{}: cannot be read: {}", path_.string(), std::strerror(errno));
  }
  size_ = static_cast<uint64_t>(status.st_size);
  modified_ = status.st_mtim.tv_sec * int64_t{1'000'000'000} + status.st_mtim.tv_nsec;
  // Headers lie far apart: what is between them need not be fetched.
  ::posix_fadvise(file_->get(), 0, 0, POSIX_FADV_RANDOM);
}

TarReader::TarReader(std::filesystem::path path, std::shared_ptr<const Descriptor> file,
                     uint64_t begin, uint64_t end)
    : path_(std::move(path)), file_(std::move(file)), size_(end), position_(begin) {}

std::string_view TarReader::block(uint64_t offset) {
  const bool is_inside =
      offset >= window_begin_ && offset + kBlock <= window_begin_ + window_.size();
  if (!is_inside) {
    window_ = read_at(*file_, offset, kWindow, path_);
    window_begin_ = offset;
    if (window_.size() < kBlock || offset + kBlock > size_) {
      throw Error("{}: is cut off: it ends after {} bytes, without an end mark; copy it again",
                  path_.string(), size_);
    }
  }
  return std::string_view(window_).substr(offset - window_begin_, kBlock);
}

std::string TarReader::read(uint64_t offset, uint64_t length) {
  const bool is_inside =
      offset >= window_begin_ && offset + length <= window_begin_ + window_.size();
  return is_inside ? window_.substr(offset - window_begin_, length)
                   : read_at(*file_, offset, length, path_);
}

TarReader::Header TarReader::read_header() {
  const std::string_view bytes = block(position_);
  const auto size = number_in(bytes.substr(124, 12));
  if (!sum_is_right(bytes) || !size) {
    throw Error("{}: is no tar archive, or a damaged one: the header at byte {} is wrong",
                path_.string(), position_);
  }
  return {bytes[156], name_in(bytes), *size, position_ + kBlock};
}

void TarReader::read_pax(const Header& header, Extension& extension) {
  const std::string text = read(header.offset, header.size);
  const auto wrong = [&] {
    return Error("{}: is a damaged tar archive: the pax header at byte {} is wrong", path_.string(),
                 header.offset);
  };
  for (std::string_view rest = text; !rest.empty();) {
    const size_t blank = rest.find(' ');
    const auto length = number_in(rest.substr(0, std::min(blank, rest.size())), 10);
    if (!length || *length > rest.size() || *length < blank + 2 || rest[*length - 1] != '\n') {
      throw wrong();
    }
    const std::string_view record = rest.substr(blank + 1, *length - blank - 2);
    rest.remove_prefix(*length);
    const std::string_view key = record.substr(0, record.find('='));
    if (key.size() == record.size()) throw wrong();
    const std::string_view value = record.substr(key.size() + 1);
    if (key == "path") extension.name = until_null(value);
    if (key == "size" && !(extension.size = number_in(value, 10))) throw wrong();
    if (key.starts_with("GNU.sparse")) {
      throw Error("{}: holds a sparse file, which is not read; write it without --sparse",
                  path_.string());
    }
  }
}

std::optional<TarMember> TarReader::next() {
  for (Extension extension;;) {
    if (block(position_).find_first_not_of('\0') == std::string_view::npos) return std::nullopt;
    Header header = read_header();
    const bool is_extension = header.type == 'x' || header.type == 'L';
    const bool is_file = header.type == '0' || header.type == '\0' || header.type == '7';
    if (is_file && extension.name) header.name = *extension.name;
    if (is_file && extension.size) header.size = *extension.size;
    // Links, devices and folders have no contents, whatever their size may be.
    const bool is_empty = header.type >= '1' && header.type <= '6';
    const uint64_t size = is_empty ? 0 : header.size;
    if (size > size_ || header.offset > size_ - size) {
      throw Error("{}: is cut off in `{}`, or damaged: it has {} bytes; copy it again",
                  path_.string(), one_line(header.name), size_);
    }
    position_ = header.offset + (size + kBlock - 1) / kBlock * kBlock;
    if (header.type == 'S') {
      throw Error("{}: holds a sparse file, which is not read; write it without --sparse",
                  path_.string());
    }
    if (is_extension && size > kLongestName) {
      throw Error("{}: is a damaged tar archive: a name of {} bytes", path_.string(), size);
    }
    if (header.type == 'x') read_pax(header, extension);
    if (header.type == 'L') extension.name = until_null(read(header.offset, size));
    if (is_extension || header.type == 'K' || header.type == 'g') continue;
    if (is_file && !header.name.ends_with('/')) return TarMember{header.name, header.offset, size};
    extension = {};
  }
}

std::string TarReader::contents(const TarMember& member, uint64_t largest) {
  if (member.size > largest) {
    throw Error("{}: `{}` has {} bytes, more than the {} that are read", path_.string(),
                one_line(member.name), member.size, largest);
  }
  return read(member.offset, member.size);
}

}  // namespace mobileone
