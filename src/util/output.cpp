#include "mobileone/util/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include "mobileone/util/descriptor.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

Error not_writable(const fs::path& path, const std::string& why) {
  return Error("{}: cannot be written: {}", path.string(), why);
}

/// Makes the file that `write_whole` would begin with, and removes it.
void try_to_write(const fs::path& path) {
  const fs::path temporary = temporary_beside(path);
  const Descriptor file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!file) throw not_writable(path, std::strerror(errno));
  ::unlink(temporary.c_str());
}

/// Makes folders that are missing, and removes them.
class FoldersForATry {
 public:
  explicit FoldersForATry(const fs::path& dir) {
    if (dir.empty()) return;  // the working folder
    std::error_code error;
    for (fs::path missing = dir; !missing.empty() && !fs::exists(missing, error) && !error;
         missing = missing.parent_path()) {
      made_.push_back(missing);
    }
    fs::create_directories(dir, error);
    if (!error) return;
    remove();
    throw Error("{}: the folder cannot be made: {}", dir.string(), error.message());
  }
  ~FoldersForATry() { remove(); }
  FoldersForATry(const FoldersForATry&) = delete;
  FoldersForATry& operator=(const FoldersForATry&) = delete;

 private:
  void remove() const {
    for (const fs::path& folder : made_) ::rmdir(folder.c_str());
  }

  std::vector<fs::path> made_;  // the deepest first
};

/// Whether a file that is there lies in the folder, however deep.
bool lies_in(const fs::path& file, const fs::path& folder) {
  std::error_code error;
  for (fs::path above = fs::canonical(file, error); above.has_relative_path();) {
    above = above.parent_path();
    if (fs::equivalent(above, folder, error)) return true;
  }
  return false;
}

void require_no_input(const fs::path& path, const std::vector<fs::path>& inputs) {
  std::error_code not_there;
  for (const fs::path& input : inputs) {
    if (!fs::equivalent(path, input, not_there)) continue;
    if (path == input) {
      throw Error("{}: would be overwritten; name another file", path.string());
    }
    throw Error("{}: is the same file as {}, which would be overwritten; name another file",
                path.string(), input.string());
  }
}

bool is_own_page(const fs::path& path) {
  std::string head(4096, '\0');
  std::ifstream(path, std::ios::binary).read(head.data(), std::ssize(head));
  return head.find(kPageMark) != std::string::npos;
}

}  // namespace

void require_output(const fs::path& path, const std::vector<fs::path>& inputs) {
  if (path.empty()) throw Error("expected the name of a file to write, got nothing");
  require_no_input(path, inputs);
  for (const fs::path& input : inputs) {
    if (!lies_in(path, input) || is_own_page(path)) continue;
    throw Error("{}: is in {}, which is read, and would be overwritten; name another file",
                path.string(), input.string());
  }
  require_replaceable(path);
  const fs::path folder = path.parent_path();
  std::error_code error;
  if (!folder.empty() && fs::status(folder, error).type() == fs::file_type::not_found) {
    throw Error("{}: there is no folder {}; make it, or check the name", path.string(),
                folder.string());
  }
  try_to_write(path);
}

void require_outputs(const fs::path& dir, const std::vector<std::string>& names,
                     const std::vector<fs::path>& inputs) {
  const FoldersForATry folders(dir);
  const bool own = is_own_page(dir / names.front());
  for (const auto& name : names) {
    const fs::path path = dir / name;
    require_no_input(path, inputs);
    require_replaceable(path);
    if (!own && fs::exists(path)) {
      throw Error(
          "{}: is there already, and nothing tells that this program wrote it; name another "
          "folder, or move the file away",
          path.string());
    }
    try_to_write(path);
  }
}

}  // namespace mobileone
