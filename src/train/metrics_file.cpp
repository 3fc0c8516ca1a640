#include "mobileone/train/metrics_file.h"

#include <fmt/ranges.h>

#include <sstream>
#include <utility>

#include "mobileone/util/file.h"

namespace mobileone {

MetricsFile::MetricsFile(std::filesystem::path path, int64_t kept_rows) : path_(std::move(path)) {
  if (kept_rows == 0 || !std::filesystem::exists(path_)) return;
  std::istringstream lines(read_file(path_));
  std::string line;
  for (int64_t i = 0; i <= kept_rows && std::getline(lines, line); ++i) text_ += line + "\n";
}

void MetricsFile::append(const Metrics& row) {
  std::vector<std::string> names, values;
  for (const auto& [name, value] : row) {
    names.push_back(name);
    values.push_back(fmt::format("{}", value));
  }
  if (text_.empty()) text_ = fmt::format("{}\n", fmt::join(names, ","));
  text_ += fmt::format("{}\n", fmt::join(values, ","));
  write_whole(path_, text_);
}

}  // namespace mobileone
