#include "mobileone/data/image_list.h"

#include <c10/util/hash.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <set>
#include <tuple>

#include "mobileone/data/imagenet.h"
#include "mobileone/util/csv.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

std::string lower_case_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

bool has_image_extension(const fs::path& path) {
  static const std::set<std::string> kExtensions = {".jpg", ".jpeg", ".png",  ".ppm", ".bmp",
                                                    ".pgm", ".tif",  ".tiff", ".webp"};
  return kExtensions.contains(lower_case_extension(path));
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

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

std::vector<fs::path> images_below(const fs::path& folder) {
  std::vector<fs::path> result;
  const auto options = fs::directory_options::follow_directory_symlink;
  for (auto it = fs::recursive_directory_iterator(folder, options); it != fs::end(it); ++it) {
    if (is_hidden(it->path())) {
      it.disable_recursion_pending();
    } else if (has_image_extension(it->path()) && it->is_regular_file()) {
      result.push_back(it->path());
    }
  }
  if (result.empty()) {
    throw Error("{}: this class folder holds no images (expected .jpg, .png, ...)",
                folder.string());
  }
  // The order of ImageFolder: a folder's own files before those of its subfolders.
  std::sort(result.begin(), result.end(), [](const fs::path& a, const fs::path& b) {
    return std::pair(a.parent_path().string(), a.filename().string()) <
           std::pair(b.parent_path().string(), b.filename().string());
  });
  return result;
}

ImageList read_folder(const std::string& path) {
  ImageList list{path, {}, {}};
  try {
    for (const fs::path& folder : class_folders(path)) {
      const auto label = static_cast<int64_t>(list.class_names.size());
      list.class_names.push_back(folder.filename().string());
      for (const fs::path& image : images_below(folder)) {
        list.samples.push_back({image.string(), label});
      }
    }
  } catch (const fs::filesystem_error& error) {
    throw Error("{}: cannot be read: {}", error.path1().string(), error.code().message());
  }
  return list;
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
  }
  return first;
}

ImageList read_csv(const std::string& path) {
  const std::vector<CsvRow> rows = parse_csv(read_file(path), path);
  if (rows.size() < 2) {
    throw Error("{}: lists no images (expected a line `path,label` and a line for each image)",
                path);
  }
  const size_t path_column = find_column(rows[0], path, {"path", "file"});
  const size_t label_column = find_column(rows[0], path, {"label", "class_index"});

  ImageList list{path, {}, {}};
  const bool integers = labels_are_integers(rows, label_column, path);
  if (!integers) {
    std::set<std::string> names;
    for (size_t i = 1; i < rows.size(); ++i) names.insert(rows[i].fields[label_column]);
    list.class_names.assign(names.begin(), names.end());
  }
  const auto label_of = [&](const std::string& text) -> int64_t {
    if (integers) return *parse_integer(text);
    const auto& names = list.class_names;
    return std::lower_bound(names.begin(), names.end(), text) - names.begin();
  };
  for (size_t i = 1; i < rows.size(); ++i) {
    const fs::path image = field_at(rows[i], path_column, rows[0], path);
    list.samples.push_back(
        {(fs::path(path).parent_path() / image).string(), label_of(rows[i].fields[label_column])});
  }
  return list;
}

}  // namespace

ImageList read_image_list(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return read_folder(path);
  require_file(path, "folder or CSV list of images");
  if (lower_case_extension(path) != ".csv") {
    throw Error("{}: expected a folder of class folders, or a CSV list (.csv) of images", path);
  }
  return read_csv(path);
}

std::string fingerprint(const ImageList& list) {
  const fs::path origin = list.origin;
  const fs::path root = fs::is_directory(origin) ? origin : origin.parent_path();
  const std::string prefix = (root / "").string();
  std::string text;
  for (const Sample& sample : list.samples) {
    std::string_view path = sample.path;
    if (path.starts_with(prefix)) path.remove_prefix(prefix.size());
    text += fmt::format("{} {}\n", sample.label, path);
  }
  return c10::sha1(text).str();
}

void require_labels_below(const ImageList& list, int64_t num_classes) {
  for (const Sample& sample : list.samples) {
    if (sample.label >= num_classes) {
      throw Error("{}: label {} of {} is out of range: the network has {} classes (0 to {})",
                  list.origin, sample.label, sample.path, num_classes, num_classes - 1);
    }
  }
}

bool are_same_classes(const std::vector<std::string>& expected,
                      const std::vector<std::string>& found) {
  const auto& imagenet = imagenet_classes();
  return expected.empty() || found.empty() || expected == found ||
         (expected == imagenet.names && found == imagenet.ids);
}

void require_same_classes(const std::vector<std::string>& expected,
                          const std::string& expected_origin, const ImageList& list) {
  const auto& found = list.class_names;
  if (are_same_classes(expected, found)) return;
  std::string differences;
  int named = 0;
  const size_t count = std::max(expected.size(), found.size());
  for (size_t i = 0; i < count && named < 8; ++i) {
    const std::string ours = i < expected.size() ? expected[i] : "(none)";
    const std::string theirs = i < found.size() ? found[i] : "(none)";
    if (ours != theirs) {
      differences += fmt::format("{}{}: '{}' against '{}'", named++ ? ", " : "", i, ours, theirs);
    }
  }
  throw Error("{}: its {} classes are not the {} of {}; class {}{}", list.origin, found.size(),
              expected.size(), expected_origin, differences, named == 8 ? ", ..." : "");
}

}  // namespace mobileone
