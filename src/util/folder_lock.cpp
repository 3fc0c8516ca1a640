#include "mobileone/util/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "mobileone/util/error.h"

namespace mobileone {
namespace {

std::string host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

/// What the holder wrote.
std::string holder(int descriptor) {
  char text[300] = "";
  const ssize_t length = ::pread(descriptor, text, sizeof text - 1, 0);
  return length > 0 ? std::string(text, static_cast<size_t>(length)) : "an unknown process";
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder) : folder_(folder) {
  const std::filesystem::path path = folder / ".lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    throw Error("{}: cannot be written: {}", path.string(), std::strerror(errno));
  }
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    const bool taken = errno == EWOULDBLOCK;
    const std::string reason =
        taken ? "is in use by " + holder(descriptor_) + "; wait for it, or choose another folder"
              : fmt::format("cannot be locked: {}", std::strerror(errno));
    ::close(descriptor_);
    throw Error("{}: {}", folder.string(), reason);
  }
  const std::string text = fmt::format("process {} on {}", ::getpid(), host_name());
  if (::ftruncate(descriptor_, 0) != 0 ||
      ::pwrite(descriptor_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    const int error = errno;
    ::close(descriptor_);
    throw Error("{}: cannot be written: {}", path.string(), std::strerror(error));
  }
}

FolderLock::~FolderLock() { ::close(descriptor_); }

void FolderLock::require_held() const {
  struct stat held, found;
  if (::fstat(descriptor_, &held) == 0 && ::stat((folder_ / ".lock").c_str(), &found) == 0 &&
      held.st_dev == found.st_dev && held.st_ino == found.st_ino) {
    return;
  }
  throw Error("{}: was removed or moved while it was being written to", folder_.string());
}

}  // namespace mobileone
