#include "mobileone/util/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include "mobileone/util/descriptor.h"
#include "mobileone/util/error.h"
#include "mobileone/util/system_error.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

void sync(const fs::path& path, int flags) {
  const Descriptor file(::open(path.c_str(), flags));
  if (!file || ::fsync(file.get()) != 0) {
    throw Error("{}: could not be synced to disk: {}", path.string(), std::strerror(errno));
  }
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

fs::path temporary_beside(const fs::path& path) {
  return fs::path(path) += fmt::format(".{}.tmp", ::getpid());
}

fs::path leftover_of(const fs::path& path) {
  const fs::path with_process = fs::path(path).replace_extension();
  const std::string process = with_process.extension().string();
  const bool is_leftover = path.extension() == ".tmp" && process.size() > 1 &&
                           process.find_first_not_of("0123456789", 1) == std::string::npos;
  return is_leftover ? fs::path(with_process).replace_extension() : fs::path();
}

void require_replaceable(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return;
  if (error) throw Error("{}: cannot be written: {}", path.string(), error.message());
  if (fs::is_directory(status)) throw Error("{}: is a folder, expected a file", path.string());
  if (!fs::is_regular_file(status)) {
    throw Error("{}: is not a regular file, and will not be replaced", path.string());
  }
}

void write_whole(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  const fs::path temporary = temporary_beside(path);
  try {
    fs::create_directories(folder_of(path));
    require_replaceable(path);
    write(temporary);
    sync(temporary, O_RDONLY);
    rename_whole(temporary, path);
  } catch (const fs::filesystem_error& error) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw Error("{}: cannot be written: {}", path.string(), error.code().message());
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
}

void write_whole(const fs::path& path, std::string_view contents) {
  write_whole(path, [&](const fs::path& temporary) {
    std::ofstream stream(temporary, std::ios::binary);
    stream.write(contents.data(), static_cast<std::streamsize>(contents.size()));
    stream.close();
    if (!stream) throw Error("{}: cannot be written: {}", path.string(), std::strerror(errno));
  });
}

void link_whole(const fs::path& from, const fs::path& to) {
  const fs::path temporary = temporary_beside(to);
  std::error_code error;
  fs::remove(temporary, error);
  fs::create_hard_link(from, temporary, error);
  if (error) {
    write_whole(to, [&](const fs::path& copy) { fs::copy_file(from, copy); });
  } else {
    rename_whole(temporary, to);
    fs::remove(temporary, error);  // which is still there if `to` was the same file already
  }
}

void rename_whole(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) throw Error("{}: cannot be written: {}", to.string(), error.message());
  sync(folder_of(to), O_RDONLY | O_DIRECTORY);
}

std::string read_file(const fs::path& path, uintmax_t largest) {
  require_file(path, "file");
  const auto unreadable = [&] {
    return SystemError(errno, "{}: cannot be read: {}", path.string(), std::strerror(errno));
  };
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (!file || ::fstat(file.get(), &status) != 0) throw unreadable();
  const auto size = static_cast<uintmax_t>(status.st_size);
  if (size > largest) {
    throw Error("{}: has {} bytes, more than the {} that are read", path.string(), size, largest);
  }
  // A byte more than it seems to have shows the end without another call; files of /proc seem
  // empty.
  std::string contents(std::max<uintmax_t>(size + 1, 4096), '\0');
  for (size_t length = 0;;) {
    const ssize_t count = ::read(file.get(), contents.data() + length, contents.size() - length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw unreadable();
    length += static_cast<size_t>(count);
    if (count == 0 || length == size) {
      contents.resize(length);
      return contents;
    }
    if (length == contents.size()) contents.resize(2 * length);
  }
}

void require_file(const fs::path& path, std::string_view what) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    throw SystemError(ENOENT, "{}: no such {}", path.string(), what);
  }
  if (error) {
    throw SystemError(error.value(), "{}: {} cannot be read: {}", path.string(), what,
                      error.message());
  }
  if (fs::is_directory(status)) throw Error("{}: is a folder, expected a {}", path.string(), what);
  if (!fs::is_regular_file(status)) {
    throw Error("{}: is not a regular file, expected a {}", path.string(), what);
  }
  if (::access(path.c_str(), R_OK) != 0) {
    throw SystemError(errno, "{}: {} cannot be read: {}", path.string(), what,
                      std::strerror(errno));
  }
}

}  // namespace mobileone
