#include "unpacked_shards.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "mobileone/util/file.h"
#include "mobileone/util/lower_case.h"
#include "mobileone/util/system_error.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

SystemError no_room(const std::string& path, const fs::path& folder) {
  return SystemError(errno,
                     "{}: cannot be unpacked into {}: {}; name a folder with room in the variable "
                     "TMPDIR, or unpack the shards",
                     path, folder.string(), std::strerror(errno));
}

/// A file without a name in `folder`.
Descriptor unnamed_file(const fs::path& folder, const std::string& path) {
  Descriptor file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file) return file;
  std::string name = folder / "mobileone.XXXXXX";  // not every file system has such
  Descriptor named(::mkostemp(name.data(), O_CLOEXEC));
  if (!named || ::unlink(name.c_str()) != 0) throw no_room(path, folder);
  return named;
}

}  // namespace

UnpackedShards::Range UnpackedShards::add(const std::string& path) {
  require_file(path, "tar shard");
  const fs::path folder = fs::temp_directory_path();
  const std::lock_guard lock(mutex_);
  if (!file_) file_ = std::make_shared<const Descriptor>(unnamed_file(folder, path));
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> packed(::gzopen(path.c_str(), "rbe"), ::gzclose);
  if (!packed) throw SystemError(errno, "{}: cannot be read: {}", path, std::strerror(errno));
  std::vector<char> block(1 << 20);
  const uint64_t begin = end_;
  uint64_t end = begin;
  while (true) {
    const int count = ::gzread(packed.get(), block.data(), static_cast<unsigned>(block.size()));
    if (count < 0) {
      int code = 0;
      const char* message = ::gzerror(packed.get(), &code);
      if (code == Z_ERRNO) throw SystemError(errno, "{}: cannot be read: {}", path, message);
      throw Error("{}: is damaged, or not compressed by gzip: {}; copy it again", path, message);
    }
    if (count == 0) break;
    for (int done = 0; done < count;) {
      const ssize_t written =
          ::pwrite(file_->get(), block.data() + done, count - done, static_cast<off_t>(end));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw no_room(path, folder);
      done += static_cast<int>(written);
      end += static_cast<uint64_t>(written);
    }
  }
  int code = Z_OK;
  ::gzerror(packed.get(), &code);
  if (code == Z_BUF_ERROR) throw Error("{}: is cut off; copy it again", path);
  end_ = end;
  return {begin, end};
}

bool is_compressed(const std::string& path) {
  const std::string extension = lower_case(fs::path(path).extension().string());
  return extension == ".gz" || extension == ".tgz";
}

}  // namespace mobileone
