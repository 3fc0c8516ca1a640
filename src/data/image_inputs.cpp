#include "mobileone/data/image_inputs.h"

#include <glob.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include "mobileone/data/class_folders.h"
#include "mobileone/data/csv_list.h"
#include "mobileone/data/image_files.h"
#include "mobileone/data/object_sets.h"
#include "mobileone/data/pack.h"
#include "mobileone/data/tar_shards.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

constexpr const char* kStandardInput = "-";

std::string read_standard_input() {
  std::string bytes;
  char part[65536];
  while (true) {
    const ssize_t count = ::read(STDIN_FILENO, part, sizeof part);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error("standard input cannot be read: {}", std::strerror(errno));
    if (count == 0) return bytes;
    bytes.append(part, static_cast<size_t>(count));
    if (bytes.size() > kLargestImageFile) {
      throw Error("standard input has more than the {} bytes that are read", kLargestImageFile);
    }
  }
}

/// The bytes of one image.
class GivenImage : public ImageStorage {
 public:
  GivenImage(std::string name, std::string bytes)
      : name_(std::move(name)), bytes_(std::move(bytes)) {}

  std::string name(int64_t) const override { return name_; }
  std::string relative_name(int64_t) const override { return name_; }
  StoredImage read(int64_t) const override { return StoredImage(std::string_view(bytes_)); }

 private:
  std::string name_, bytes_;
};

/// Images of several storages.
class GatheredImages : public ImageStorage {
 public:
  void add_file(const std::string& path) {
    images_.emplace_back(files_, file_count_++);
    files_->add(path);
  }
  void add_all(const std::shared_ptr<const ImageStorage>& storage, int64_t count) {
    for (int64_t i = 0; i < count; ++i) images_.emplace_back(storage, i);
  }
  int64_t size() const { return std::ssize(images_); }

  std::string name(int64_t index) const override {
    const auto& [storage, place] = images_[index];
    return storage->name(place);
  }
  std::string relative_name(int64_t index) const override {
    const auto& [storage, place] = images_[index];
    return storage->relative_name(place);
  }
  StoredImage read(int64_t index) const override {
    const auto& [storage, place] = images_[index];
    return storage->read(place);
  }

 private:
  std::shared_ptr<ImageFiles> files_ = std::make_shared<ImageFiles>("");
  int64_t file_count_ = 0;
  std::vector<std::pair<std::shared_ptr<const ImageStorage>, int64_t>> images_;
};

/// What a pattern matches, sorted; the text itself where that is none, or nothing.
std::vector<std::string> expanded(const std::string& text) {
  std::error_code error;
  if (text.find_first_of("*?[") == std::string::npos || fs::exists(text, error)) return {text};
  glob_t matches{};
  const int status = ::glob(text.c_str(), 0, nullptr, &matches);
  std::vector<std::string> paths(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  ::globfree(&matches);
  if (status != 0) return {text};
  return paths;
}

/// COCO's annotations, or a list of Pascal VOC's.
bool is_object_file(const fs::path& path) {
  std::error_code error;
  return !fs::is_directory(path, error) && names_object_set(path.string());
}

bool is_data_set(const fs::path& path) {
  const std::string extension = path.extension().string();
  if (!extension.empty() && is_image_extension(std::string_view(extension).substr(1))) return false;
  return names_shards(path.string()) || is_csv_list(path.string()) || is_pack(path) ||
         is_object_file(path);
}

}  // namespace

ImageList read_image_inputs(const std::vector<std::string>& inputs) {
  auto images = std::make_shared<GatheredImages>();
  const auto add = [&](const std::string& path) {
    std::error_code error;
    if (is_data_set(path)) {
      const ImageList list =
          is_object_file(path) ? read_object_list(path, "", {}) : read_image_list(path);
      images->add_all(list.storage, list.size());
    } else if (fs::is_directory(path, error)) {
      for (const auto& file : image_files_below(path)) images->add_file(file);
    } else {
      images->add_file(path);
    }
  };
  for (const auto& input : inputs) {
    if (input == kStandardInput) {
      throw Error("-: images come from standard input or from files, not from both; give - alone");
    }
    for (const auto& path : expanded(input)) add(path);
  }
  if (images->size() == 0) {
    throw Error("expected images: files, folders, patterns, lists, or - for standard input");
  }
  return {"the images given", {}, std::vector<int32_t>(images->size()), images};
}

ImageList one_image(std::string name, std::string bytes) {
  auto storage = std::make_shared<GivenImage>(name, std::move(bytes));
  return {std::move(name), {}, {0}, std::move(storage)};
}

std::vector<std::string> read_path_list(const std::string& file) {
  const std::string text = file == kStandardInput ? read_standard_input() : read_file(file);
  const char end = text.find('\0') != std::string::npos ? '\0' : '\n';
  std::vector<std::string> paths;
  for (size_t begin = 0; begin < text.size();) {
    const size_t stop = std::min(text.find(end, begin), text.size());
    std::string path = text.substr(begin, stop - begin);
    if (end == '\n' && path.ends_with('\r')) path.pop_back();
    if (!path.empty()) paths.push_back(std::move(path));
    begin = stop + 1;
  }
  return paths;
}

}  // namespace mobileone
