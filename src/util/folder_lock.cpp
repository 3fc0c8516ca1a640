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

std::filesystem::path lock_file(const std::filesystem::path& folder) { return folder / ".lock"; }

/// What the holder wrote.
std::string holder(int descriptor) {
  char text[300] = "";
  const ssize_t length = ::pread(descriptor, text, sizeof text - 1, 0);
  return length > 0 ? std::string(text, static_cast<size_t>(length)) : "an unknown process";
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder)
    : folder_(folder),
      file_(::open(lock_file(folder).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
  const auto not_written = [&] {
    return Error("{}: cannot be written: {}", lock_file(folder).string(), std::strerror(errno));
  };
  if (!file_) throw not_written();
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      throw Error("{}: cannot be locked: {}", folder.string(), std::strerror(errno));
    }
    throw Error("{}: is in use by {}; wait for it, or choose another folder", folder.string(),
                holder(file_.get()));
  }
  const std::string text = fmt::format("process {} on {}", ::getpid(), host_name());
  if (::ftruncate(file_.get(), 0) != 0 ||
      ::pwrite(file_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    throw not_written();
  }
}

void FolderLock::require_held() const {
  struct stat held, found;
  if (::fstat(file_.get(), &held) == 0 && ::stat(lock_file(folder_).c_str(), &found) == 0 &&
      held.st_dev == found.st_dev && held.st_ino == found.st_ino) {
    return;
  }
  throw Error("{}: was removed or moved while it was being written to", folder_.string());
}

}  // namespace mobileone
