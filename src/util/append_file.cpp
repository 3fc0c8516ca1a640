#include "mobileone/util/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "mobileone/util/error.h"

namespace mobileone {

AppendFile::AppendFile(std::filesystem::path path, int64_t length)
    : path_(std::move(path)),
      file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)),
      length_(length) {
  struct stat status;
  if (!file_ || ::fstat(file_.get(), &status) != 0) fail();
  if (status.st_size < length) {
    throw Error("{}: has {} bytes, fewer than the {} that were written to it; it was changed",
                path_.string(), status.st_size, length);
  }
  if (::ftruncate(file_.get(), length) != 0) fail();
}

void AppendFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail();
    length_ += written;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void AppendFile::sync() {
  if (::fsync(file_.get()) != 0) fail();
}

void AppendFile::fail() const {
  throw Error("{}: cannot be written: {}", path_.string(), std::strerror(errno));
}

}  // namespace mobileone
