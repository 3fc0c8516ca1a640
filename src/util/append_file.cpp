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
      descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)),
      length_(length) {
  if (descriptor_ < 0) fail();
  struct stat status;
  const bool known = ::fstat(descriptor_, &status) == 0;
  if (known && status.st_size < length) {
    ::close(descriptor_);
    throw Error("{}: has {} bytes, fewer than the {} that were written to it; it was changed",
                path_.string(), status.st_size, length);
  }
  if (!known || ::ftruncate(descriptor_, length) != 0) {
    const int error = errno;
    ::close(descriptor_);
    errno = error;
    fail();
  }
}

AppendFile::~AppendFile() { ::close(descriptor_); }

void AppendFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail();
    length_ += written;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void AppendFile::sync() {
  if (::fsync(descriptor_) != 0) fail();
}

void AppendFile::fail() const {
  throw Error("{}: cannot be written: {}", path_.string(), std::strerror(errno));
}

}  // namespace mobileone
