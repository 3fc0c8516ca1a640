#pragma once

#include <filesystem>
#include <string>

#include "mobileone/checkpoint/checkpoint.h"

namespace mobileone {

/// metrics.csv: a header line and one row per epoch, written whole after each epoch.
class MetricsFile {
 public:
  /// Starts anew, or with `kept_rows` rows of the file that is there (a resumed run's).
  MetricsFile(std::filesystem::path path, int64_t kept_rows);

  /// The names are the header; every row has the same.
  void append(const Metrics& row);

 private:
  std::filesystem::path path_;
  std::string text_;
};

}  // namespace mobileone
