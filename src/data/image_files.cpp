#include "mobileone/data/image_files.h"

#include <fmt/ranges.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "mobileone/util/csv.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

bool has_image_extension(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension.starts_with('.') && is_image_extension(std::string_view(extension).substr(1));
}

std::vector<fs::path> class_folders(const fs::path& folder) {
  std::vector<fs::path> result;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory() && !is_hidden(entry.path())) result.push_back(entry.path());
  }
  if (result.empty()) {
    throw Error("{}: holds no class folders (expected one folder of images for each class)",
                folder.string());
  }
  std::sort(result.begin(), result.end());
  return result;
}

/// Folder and name of each image, in the order of ImageFolder: a folder's own files before those of
/// its subfolders.
std::vector<std::pair<std::string, std::string>> images_below(const fs::path& folder) {
  std::vector<std::pair<std::string, std::string>> result;
  const auto options = fs::directory_options::follow_directory_symlink;
  for (auto it = fs::recursive_directory_iterator(folder, options); it != fs::end(it); ++it) {
    if (is_hidden(it->path())) {
      it.disable_recursion_pending();
    } else if (has_image_extension(it->path()) && it->is_regular_file()) {
      result.emplace_back(it->path().parent_path().string(), it->path().filename().string());
    }
  }
  if (result.empty()) {
    throw Error("{}: this folder holds no images (expected .jpg, .png, ...)", folder.string());
  }
  std::sort(result.begin(), result.end());
  return result;
}

size_t find_column(const CsvRow& header, const std::string& name,
                   std::initializer_list<std::string_view> accepted) {
  for (std::string_view column : accepted) {
    const auto found = std::find(header.fields.begin(), header.fields.end(), column);
    if (found != header.fields.end()) return found - header.fields.begin();
  }
  throw Error("{}:{}: the first line names no column `{}`, it names: {}", name, header.line,
              fmt::join(accepted, "` or `"), fmt::join(header.fields, ", "));
}

std::optional<int64_t> parse_integer(const std::string& text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

const std::string& field_at(const CsvRow& row, size_t column, const CsvRow& header,
                            const std::string& name) {
  if (row.fields.size() != header.fields.size()) {
    throw Error("{}:{}: has {} fields, expected {} as in the first line", name, row.line,
                row.fields.size(), header.fields.size());
  }
  const std::string& field = row.fields[column];
  if (field.empty()) throw Error("{}:{}: `{}` is empty", name, row.line, header.fields[column]);
  return field;
}

/// Whether the labels are integers. A mixture is refused: one typing error among integers would
/// otherwise turn all of them into names, in another order.
bool labels_are_integers(const std::vector<CsvRow>& rows, size_t column, const std::string& name) {
  const bool first = parse_integer(field_at(rows[1], column, rows[0], name)).has_value();
  for (size_t i = 1; i < rows.size(); ++i) {
    const std::string& label = field_at(rows[i], column, rows[0], name);
    const auto value = parse_integer(label);
    if (value.has_value() != first) {
      throw Error("{}:{}: label `{}` is {}, the labels above are {}", name, rows[i].line, label,
                  first ? "not an integer" : "an integer", first ? "integers" : "names");
    }
    if (value.value_or(0) < 0) {
      throw Error("{}:{}: label {} is negative", name, rows[i].line, label);
    }
    if (value.value_or(0) > std::numeric_limits<int32_t>::max()) {
      throw Error("{}:{}: label {} is too large", name, rows[i].line, label);
    }
  }
  return first;
}

}  // namespace

std::string ImageFiles::name(int64_t index) const {
  const std::string_view path = paths_[index];
  return path.starts_with('/') ? std::string(path) : root_ + std::string(path);
}

std::string ImageFiles::relative_name(int64_t index) const {
  std::string_view path = paths_[index];
  if (!root_.empty() && path.starts_with(root_)) path.remove_prefix(root_.size());
  return std::string(path);
}

StoredImage ImageFiles::read(int64_t index) const {
  return StoredImage(read_file(name(index), kLargestImageFile));
}

bool is_image_extension(std::string_view extension) {
  static const std::set<std::string> kExtensions = {"jpg", "jpeg", "png",  "ppm", "bmp",
                                                    "pgm", "tif",  "tiff", "webp"};
  std::string lower(extension);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return kExtensions.contains(lower);
}

std::vector<std::string> image_files_below(const std::string& folder) {
  std::vector<std::string> paths;
  try {
    for (const auto& [parent, name] : images_below(folder)) {
      paths.push_back((fs::path(parent) / name).string());
    }
  } catch (const fs::filesystem_error& error) {
    throw Error("{}: cannot be read: {}", error.path1().string(), error.code().message());
  }
  return paths;
}

bool is_csv_list(const std::string& path) {
  return ::strcasecmp(fs::path(path).extension().c_str(), ".csv") == 0;
}

ImageList read_class_folders(const std::string& path) {
  const std::string root = (fs::path(path) / "").string();
  auto files = std::make_shared<ImageFiles>(root);
  ImageList list{path, {}, {}, files};
  try {
    for (const fs::path& folder : class_folders(path)) {
      const auto label = static_cast<int32_t>(list.class_names.size());
      list.class_names.push_back(folder.filename().string());
      for (const auto& [parent, name] : images_below(folder)) {
        files->add((parent + "/" + name).substr(root.size()));
        list.labels.push_back(label);
      }
    }
  } catch (const fs::filesystem_error& error) {
    throw Error("{}: cannot be read: {}", error.path1().string(), error.code().message());
  }
  return list;
}

ImageList read_csv_list(const std::string& path) {
  const std::vector<CsvRow> rows = parse_csv(read_file(path), path);
  if (rows.size() < 2) {
    throw Error("{}: lists no images (expected a line `path,label` and a line for each image)",
                path);
  }
  const size_t path_column = find_column(rows[0], path, {"path", "file"});
  const size_t label_column = find_column(rows[0], path, {"label", "class_index"});

  auto files = std::make_shared<ImageFiles>((fs::path(path).parent_path() / "").string());
  ImageList list{path, {}, {}, files};
  const bool integers = labels_are_integers(rows, label_column, path);
  if (!integers) {
    std::set<std::string> names;
    for (size_t i = 1; i < rows.size(); ++i) names.insert(rows[i].fields[label_column]);
    list.class_names.assign(names.begin(), names.end());
  }
  const auto label_of = [&](const std::string& text) {
    if (integers) return static_cast<int32_t>(*parse_integer(text));
    const auto& names = list.class_names;
    return static_cast<int32_t>(std::lower_bound(names.begin(), names.end(), text) - names.begin());
  };
  for (size_t i = 1; i < rows.size(); ++i) {
    files->add(field_at(rows[i], path_column, rows[0], path));
    list.labels.push_back(label_of(rows[i].fields[label_column]));
  }
  return list;
}

}  // namespace mobileone
