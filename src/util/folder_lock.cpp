#include "mobileone/util/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "mobileone/util/error.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

std::string host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

fs::path lock_file(const fs::path& folder) { return folder / ".lock"; }

constexpr std::string_view kOwn = "process ";  // how the text in a lock begins

/// What the holder wrote; empty where it has yet to.
std::string holder(int descriptor) {
  char text[300];
  const ssize_t length = ::pread(descriptor, text, sizeof text, 0);
  return length > 0 ? std::string(text, static_cast<size_t>(length)) : std::string();
}

}  // namespace

FolderLock::FolderLock(const fs::path& folder)
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
    const std::string who = holder(file_.get());
    throw Error("{}: is in use by {}; wait for it, or choose another folder", folder.string(),
                who.empty() ? "an unknown process" : who);
  }
  const std::string before = holder(file_.get());
  if (!before.empty() && !before.starts_with(kOwn)) {
    throw Error("{}: is not a lock of this program, and will not be replaced; name another folder",
                lock_file(folder).string());
  }
  const std::string text = fmt::format("{}{} on {}", kOwn, ::getpid(), host_name());
  if (::ftruncate(file_.get(), 0) != 0 ||
      ::pwrite(file_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    throw not_written();
  }
}

bool FolderLock::was_in(const fs::path& folder) {
  const Descriptor file(::open(lock_file(folder).c_str(), O_RDONLY | O_CLOEXEC));
  return file && holder(file.get()).starts_with(kOwn);
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
