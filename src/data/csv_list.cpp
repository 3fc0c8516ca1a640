#include "mobileone/data/csv_list.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include "mobileone/data/image_files.h"
#include "mobileone/data/labels.h"
#include "mobileone/util/csv.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/lower_case.h"
#include "mobileone/util/utf8.h"

namespace mobileone {
namespace {

// What tables call their columns; the first that is there is taken.
constexpr std::string_view kPathColumns[] = {
    "path",       "file",     "filename", "file_name",  "filepath",   "file_path", "image",
    "image_path", "img_path", "img",      "image_file", "image_name", "fname"};

struct LabelColumn {
  std::string_view name;
  LabelKind kind;
};
constexpr LabelColumn kLabelColumns[] = {
    {"label", LabelKind::kEither},         {"class_index", LabelKind::kIndices},
    {"class", LabelKind::kEither},         {"target", LabelKind::kEither},
    {"labels", LabelKind::kEither},        {"category", LabelKind::kEither},
    {"class_id", LabelKind::kEither},      {"label_id", LabelKind::kEither},
    {"category_id", LabelKind::kEither},   {"class_idx", LabelKind::kIndices},
    {"label_index", LabelKind::kIndices},  {"label_idx", LabelKind::kIndices},
    {"target_index", LabelKind::kIndices}, {"target_idx", LabelKind::kIndices},
    {"class_name", LabelKind::kNames},     {"classname", LabelKind::kNames},
    {"label_name", LabelKind::kNames},     {"target_name", LabelKind::kNames},
    {"category_name", LabelKind::kNames},  {"wnid", LabelKind::kNames},
    {"synset", LabelKind::kNames}};

/// "Image Path" is `image_path`.
std::string plain_name(std::string_view column) {
  std::string name = lower_case(trimmed(column));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == ' ' || c == '-'; }, '_');
  return name;
}

std::optional<size_t> find_column(const CsvRow& header, std::string_view name) {
  const auto found = std::find_if(header.fields.begin(), header.fields.end(),
                                  [&](const auto& column) { return plain_name(column) == name; });
  if (found == header.fields.end()) return std::nullopt;
  return found - header.fields.begin();
}

Error no_column(const std::string& table, const CsvRow& header, std::string_view expected) {
  return Error("{}:{}: the first line names no column {}, it names: {}", table, header.line,
               expected, fmt::join(header.fields, ", "));
}

size_t path_column(const CsvRow& header, const std::string& table) {
  for (const std::string_view name : kPathColumns) {
    if (const auto column = find_column(header, name)) return *column;
  }
  throw no_column(table, header, "`path`, `file` or `image`");
}

std::pair<size_t, LabelKind> label_column(const CsvRow& header, const std::string& table) {
  for (const auto& [name, kind] : kLabelColumns) {
    if (const auto column = find_column(header, name)) return {*column, kind};
  }
  throw no_column(table, header, "`label`, `class_index` or `class_name`");
}

/// What the first line has most of.
char delimiter_of(std::string_view text) {
  const std::string_view line = text.substr(0, text.find_first_of("\r\n", 1));
  const auto count = [&](char c) { return std::count(line.begin(), line.end(), c); };
  char delimiter = ',';
  for (const char other : {';', '\t'}) {
    if (count(other) > count(delimiter)) delimiter = other;
  }
  return delimiter;
}

bool is_empty(const CsvRow& row) {
  return std::all_of(row.fields.begin(), row.fields.end(), [](const auto& f) { return f.empty(); });
}

/// Throws Error unless the row has the header's fields, and none but empty ones behind them.
void require_fields(const CsvRow& row, const CsvRow& header, const std::string& table) {
  const auto expected = std::ssize(header.fields);
  const bool fits = std::ssize(row.fields) >= expected &&
                    std::all_of(row.fields.begin() + expected, row.fields.end(),
                                [](const auto& field) { return field.empty(); });
  if (fits) return;
  throw Error("{}:{}: has {} fields, expected {} as in the first line", table, row.line,
              row.fields.size(), expected);
}

}  // namespace

bool is_csv_list(const std::string& path) {
  const std::string extension = lower_case(std::filesystem::path(path).extension().string());
  return extension == ".csv" || extension == ".tsv";
}

ImageList read_csv_list(const std::string& path) {
  const std::string text = utf8_of(read_file(path));
  CsvReader reader(text, path, delimiter_of(text));
  auto files =
      std::make_shared<ImageFiles>((std::filesystem::path(path).parent_path() / "").string());
  ImageList list{path, {}, {}, files};
  if (CsvRow header; reader.next(header)) {
    const size_t image = path_column(header, path);
    const auto [label, kind] = label_column(header, path);
    LabelTable table(kind);
    for (CsvRow row; reader.next(row);) {
      if (is_empty(row)) continue;
      require_fields(row, header, path);
      for (const size_t column : {image, label}) {
        if (!row.fields[column].empty()) continue;
        throw Error("{}:{}: `{}` is empty", path, row.line, header.fields[column]);
      }
      files->add(row.fields[image]);
      list.labels.push_back(
          table.add(row.fields[label], [&] { return fmt::format("{}:{}", path, row.line); }));
    }
    list.class_names = table.names();
    list.are_indices = kind == LabelKind::kIndices;
    const std::vector<int32_t> classes = table.classes(list.class_names);
    for (int32_t& number : list.labels) number = classes[number];
  }
  if (list.labels.empty()) {
    throw Error("{}: lists no images (expected a line `path,label` and a line for each image)",
                path);
  }
  return list;
}

}  // namespace mobileone
