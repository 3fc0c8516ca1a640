#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mobileone {

/// What metrics.csv says: columns of as many values each, one per epoch. A field that is empty or,
/// in a column that we do not know, no number is NaN.
struct RunMetrics {
  std::vector<std::pair<std::string, std::vector<double>>> columns;  ///< in the file's order
  bool torn = false;  ///< the file ended within a line, which was left out

  /// All NaN if there is no such column.
  std::vector<double> operator[](std::string_view name) const;
  size_t epochs() const;
};

/// Reads the text of metrics.csv; `origin` names it in messages. Throws Error with the line if it
/// is none, has no row, or one that is damaged.
RunMetrics parse_metrics(std::string_view text, const std::string& origin);

struct TrainingRun {
  std::string name;  ///< its folder's
  RunMetrics metrics;
  std::string config;  ///< config.yaml; empty where there is none
};

/// Reads runs, each given as its folder or the metrics.csv in it. Folders of one name are named by
/// the shortest ends of their paths that differ; what is given twice is numbered. Throws Error
/// naming the file.
std::vector<TrainingRun> read_runs(const std::vector<std::filesystem::path>& paths);

/// A table of the runs and their curves over the epochs, as parts of a page.
std::string run_curves(const std::vector<TrainingRun>& runs);

/// A page of curves over the epochs and a table of the runs, of which there is at least one; for
/// one alone, its configuration.
std::string run_page(const std::vector<TrainingRun>& runs);

}  // namespace mobileone
