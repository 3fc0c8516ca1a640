#include "mobileone/report/run.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <optional>

#include "mobileone/util/csv.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

constexpr std::array<std::string_view, 8> kKnownMetrics = {
    "epoch", "step", "size", "lr", "weight_decay", "train_loss", "seconds", "images_per_second"};

/// Those of training, and whatever a task measures in validation.
bool is_known_metric(std::string_view name) {
  return name.starts_with("val_") || name.starts_with("ema_") ||
         std::ranges::count(kKnownMetrics, name) > 0;
}

/// The number that a field holds, "nan" and "inf" included; NaN if it is empty.
std::optional<double> parse_number(const std::string& field) {
  if (field.empty()) return kMissing;
  char* end = nullptr;
  const double value = std::strtod(field.c_str(), &end);
  return end == field.c_str() + field.size() ? std::optional(value) : std::nullopt;
}

/// The last `depth` parts of a path.
std::string path_end(const fs::path& path, int depth) {
  fs::path end = path.filename(), rest = path.parent_path();
  for (; depth > 1 && rest.has_filename(); --depth, rest = rest.parent_path()) {
    end = rest.filename() / end;
  }
  return end.string();
}

/// The shortest ends of the paths, all of them absolute, that differ; equal ones are numbered.
std::vector<std::string> distinct_names(const std::vector<fs::path>& paths) {
  std::vector<std::string> names;
  for (auto path = paths.begin(); path != paths.end(); ++path) {
    const auto shared = [&](int depth) {
      return std::any_of(paths.begin(), paths.end(), [&](const fs::path& other) {
        return other != *path && path_end(other, depth) == path_end(*path, depth);
      });
    };
    int depth = 1;
    while (shared(depth)) ++depth;
    const auto before = std::count(paths.begin(), path, *path);
    names.push_back(path_end(*path, depth) + (before > 0 ? fmt::format(" ({})", before + 1) : ""));
  }
  return names;
}

}  // namespace

std::vector<double> RunMetrics::operator[](std::string_view name) const {
  for (const auto& [column, values] : columns) {
    if (column == name) return values;
  }
  return std::vector<double>(epochs(), kMissing);
}

size_t RunMetrics::epochs() const { return columns.empty() ? 0 : columns.front().second.size(); }

RunMetrics parse_metrics(std::string_view text, const std::string& origin) {
  RunMetrics metrics;
  const size_t whole = text.rfind('\n') + 1;  // 0 if there is none
  metrics.torn = whole < text.size();
  const auto rows = parse_csv(text.substr(0, whole), origin);
  if (rows.empty()) throw Error("{}: is no metrics file of a run: it has no header", origin);
  const auto& header = rows.front();
  if (std::find(header.fields.begin(), header.fields.end(), "epoch") == header.fields.end()) {
    throw Error("{}:{}: is no metrics file of a run: its header names no column 'epoch'", origin,
                header.line);
  }
  if (rows.size() == 1) throw Error("{}: holds no epoch yet", origin);
  for (const auto& name : header.fields) metrics.columns.push_back({name, {}});
  for (auto row = rows.begin() + 1; row != rows.end(); ++row) {
    if (row->fields.size() != header.fields.size()) {
      throw Error("{}:{}: expected {} fields as in the header, got {}", origin, row->line,
                  header.fields.size(), row->fields.size());
    }
    for (size_t i = 0; i < row->fields.size(); ++i) {
      auto& [name, values] = metrics.columns[i];
      const auto number = parse_number(row->fields[i]);
      if (!number && is_known_metric(name)) {
        throw Error("{}:{}: {}: expected a number, got '{}'", origin, row->line, name,
                    row->fields[i]);
      }
      values.push_back(number.value_or(kMissing));
    }
  }
  return metrics;
}

std::vector<TrainingRun> read_runs(const std::vector<fs::path>& paths) {
  std::vector<TrainingRun> runs;
  std::vector<fs::path> homes;  // what a run is called after
  for (const auto& path : paths) {
    const bool is_folder = fs::is_directory(path);
    const fs::path file = is_folder ? path / "metrics.csv" : path;
    require_file(file, is_folder ? "file; is this a run's folder?" : "run");
    TrainingRun run;
    run.metrics = parse_metrics(read_file(file), file.string());
    const fs::path folder = fs::canonical(fs::absolute(file).parent_path());
    if (fs::exists(folder / "config.yaml")) run.config = read_file(folder / "config.yaml");
    homes.push_back(file.filename() == "metrics.csv" ? folder : folder / file.stem());
    runs.push_back(std::move(run));
  }
  const auto names = distinct_names(homes);
  for (size_t i = 0; i < runs.size(); ++i) runs[i].name = names[i];
  return runs;
}

}  // namespace mobileone
