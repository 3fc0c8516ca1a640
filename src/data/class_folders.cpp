#include "mobileone/data/class_folders.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "mobileone/data/image_files.h"
#include "mobileone/data/labels.h"
#include "mobileone/data/left_out.h"
#include "mobileone/util/system_error.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

bool has_image_extension(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension.starts_with('.') && is_image_extension(std::string_view(extension).substr(1));
}

/// What lies in a folder, sorted, but for names that begin with a dot.
std::vector<fs::directory_entry> entries_of(const fs::path& folder) {
  std::vector<fs::directory_entry> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error); !error && it != fs::end(it); it.increment(error)) {
    if (!it->path().filename().string().starts_with('.')) entries.push_back(*it);
  }
  if (error) {
    throw SystemError(error.value(), "{}: cannot be read: {}", folder.string(), error.message());
  }
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.path().native() < b.path().native(); });
  return entries;
}

/// What an entry is, or a link leads to; `not_found` where that is nothing.
fs::file_type type_of(const fs::directory_entry& entry) {
  std::error_code error;
  if (entry.is_regular_file(error)) return fs::file_type::regular;  // known without another call
  if (entry.is_directory(error)) return fs::file_type::directory;
  const fs::file_type type = entry.status(error).type();
  if (error.value() == ELOOP) return fs::file_type::not_found;  // a link to itself
  if (error && type != fs::file_type::not_found) {
    throw SystemError(error.value(), "{}: cannot be read: {}", entry.path().string(),
                      error.message());
  }
  return type;
}

/// Gathers the images below a class folder.
class ClassFolder {
 public:
  explicit ClassFolder(LeftOut& left_out) : left_out_(left_out) {}

  void pass_over(const fs::path& folder) { is_new(folder); }

  void visit(const fs::path& folder) {
    // A link to a folder above would lead through it for ever.
    if (!is_new(folder)) return left_out_.add("folders that links lead to twice", folder.string());
    for (const auto& entry : entries_of(folder)) {
      const fs::path& path = entry.path();
      switch (type_of(entry)) {
        case fs::file_type::directory:
          visit(path);
          break;
        case fs::file_type::regular:
          if (has_image_extension(path)) {
            images_.emplace_back(folder.string(), path.filename().string());
          } else {
            left_out_.add(kind_of_ending(path.extension().string()), path.string());
          }
          break;
        case fs::file_type::not_found:
          left_out_.add("broken links", path.string());
          break;
        default:
          left_out_.add("neither files nor folders", path.string());
      }
    }
  }

  /// Folder and name of each, in the order of ImageFolder: a folder's own files before those of its
  /// subfolders.
  std::vector<std::pair<std::string, std::string>> images() {
    std::sort(images_.begin(), images_.end());
    return std::move(images_);
  }

 private:
  bool is_new(const fs::path& folder) {
    struct stat status;
    if (::stat(folder.c_str(), &status) != 0) {
      throw SystemError(errno, "{}: cannot be read: {}", folder.string(), std::strerror(errno));
    }
    return seen_.emplace(status.st_dev, status.st_ino).second;
  }

  LeftOut& left_out_;
  std::set<std::pair<dev_t, ino_t>> seen_;
  std::vector<std::pair<std::string, std::string>> images_;
};

/// Folder and name of the images of a folder below `root`, which `what` names in errors.
std::vector<std::pair<std::string, std::string>> images_below(const fs::path& folder,
                                                              const fs::path& root,
                                                              const char* what, LeftOut& left_out) {
  LeftOut here;
  ClassFolder reader(here);
  if (folder != root) reader.pass_over(root);
  reader.visit(folder);
  auto images = reader.images();
  if (images.empty()) {
    throw Error("{}: this {} holds no images (expected .jpg, .png, ...{})", folder.string(), what,
                here.empty() ? "" : "; it holds " + here.kinds());
  }
  left_out.add(here);
  return images;
}

std::vector<fs::path> class_folders(const fs::path& root, LeftOut& left_out) {
  std::vector<fs::path> folders;
  for (const auto& entry : entries_of(root)) {
    const fs::file_type type = type_of(entry);
    if (type == fs::file_type::directory) folders.push_back(entry.path());
    if (type == fs::file_type::not_found) {
      // Without it, other classes would take its label.
      throw Error("{}: is a link that leads nowhere, expected a class folder; mend or remove it",
                  entry.path().string());
    }
    if (type != fs::file_type::directory && has_image_extension(entry.path())) {
      left_out.add("images in no class folder", entry.path().string());
    }
  }
  if (folders.empty()) {
    throw Error("{}: holds no class folders (expected one folder of images for each class)",
                root.string());
  }
  return folders;
}

}  // namespace

ImageList read_class_folders(const std::string& path) {
  const std::string root = (fs::path(path) / "").string();
  auto files = std::make_shared<ImageFiles>(root);
  ImageList list{path, {}, {}, files};
  LeftOut left_out;
  for (const fs::path& folder : class_folders(path, left_out)) {
    const auto images = images_below(folder, path, "class folder", left_out);
    const auto label = static_cast<int32_t>(list.class_names.size());
    list.class_names.push_back(legible_name(folder.filename().string()));
    for (const auto& [parent, name] : images) {
      files->add((parent + "/" + name).substr(root.size()));
      list.labels.push_back(label);
    }
  }
  left_out.warn(path);
  return list;
}

std::vector<std::string> image_files_below(const std::string& folder) {
  LeftOut left_out;
  std::vector<std::string> paths;
  for (const auto& [parent, name] : images_below(folder, folder, "folder", left_out)) {
    paths.push_back((fs::path(parent) / name).string());
  }
  left_out.warn(folder);
  return paths;
}

}  // namespace mobileone
