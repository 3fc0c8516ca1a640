#include "new_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>

#include "mobileone/util/descriptor.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

/// Of an interrupted writer.
bool is_own(const fs::path& folder) {
  const auto count = std::distance(fs::directory_iterator(folder), {});
  return FolderLock::was_in(folder) && (count == 1 || fs::exists(folder / "classes.txt"));
}

}  // namespace

NewFolder::NewFolder(const fs::path& folder, std::string_view command) : folder_(folder) {
  std::error_code error;
  if (fs::exists(folder_, error) && !fs::is_empty(folder_, error)) {
    throw Error("{}: is there already; move it away, or name another folder", folder_.string());
  }
  partial_ = fs::path(folder_) += ".partial";
  if (fs::exists(partial_, error) && !fs::is_empty(partial_, error) && !is_own(partial_)) {
    throw Error(
        "{}: is there already, and not of an interrupted `{}`, which would write there; move it "
        "away, or name another folder",
        partial_.string(), command);
  }
  fs::create_directories(partial_, error);
  if (error) throw Error("{}: cannot be made: {}", partial_.string(), error.message());
  lock_.emplace(partial_);
  for (const auto& entry : fs::directory_iterator(partial_)) {
    if (entry.path().filename() != ".lock") fs::remove_all(entry.path());
  }
}

NewFolder::~NewFolder() {
  std::error_code ignored;
  if (!partial_.empty()) fs::remove_all(partial_, ignored);
}

void NewFolder::write(const std::string& name, std::string_view contents) const {
  const fs::path path = made(name);
  std::ofstream stream(path, std::ios::binary);
  stream.write(contents.data(), static_cast<std::streamsize>(contents.size()));
  stream.close();
  if (!stream) throw Error("{}: cannot be written: {}", path.string(), std::strerror(errno));
}

bool NewFolder::link(const fs::path& from, const std::string& name) const {
  std::error_code error;
  const fs::path file = fs::canonical(from, error);  // what a symbolic link leads to
  if (!error) fs::create_hard_link(file, made(name), error);
  return !error;
}

void NewFolder::finish() {
  lock_->require_held();
  const Descriptor opened(::open(partial_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || ::syncfs(opened.get()) != 0) {
    throw Error("{}: could not be synced to disk: {}", partial_.string(), std::strerror(errno));
  }
  rename_whole(partial_, folder_);
  partial_.clear();
  std::error_code ignored;
  fs::remove(folder_ / ".lock", ignored);
}

fs::path NewFolder::made(const std::string& name) const {
  const fs::path path = partial_ / name;
  std::error_code ignored;  // writing will say so
  fs::create_directories(path.parent_path(), ignored);
  return path;
}

}  // namespace mobileone
