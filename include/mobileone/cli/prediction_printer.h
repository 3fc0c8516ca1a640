#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "mobileone/config/field.h"
#include "mobileone/util/progress.h"

namespace mobileone::cli {

enum class PredictionFormat { kText, kCsv, kJson, kJsonLines };
inline constexpr auto enum_names(PredictionFormat) {
  return std::array<EnumName<PredictionFormat>, 4>{{{PredictionFormat::kText, "text"},
                                                    {PredictionFormat::kCsv, "csv"},
                                                    {PredictionFormat::kJson, "json"},
                                                    {PredictionFormat::kJsonLines, "jsonl"}}};
}

/// What a network makes of an image, in each form that it may be printed in.
struct PredictionForms {
  std::string file;                               ///< written for the image, or ""
  std::function<std::string()> text;              ///< lines, each ended
  std::function<std::vector<std::string>()> csv;  ///< rows without the image and the error
  std::function<nlohmann::ordered_json()> json;   ///< an object without the image
};

/// Prints what is predicted of images, of each as it comes, and counts those that cannot be read.
class PredictionPrinter {
 public:
  /// `columns` of CSV, between the image and the error; `images` to come, 0: not known.
  PredictionPrinter(PredictionFormat format, const std::string& columns, int64_t images);

  void print(const std::string& name, const PredictionForms& forms);
  void print_error(const std::string& name, const std::string& error);

  /// Throws Error if an image could not be read.
  void end();

 private:
  void print_json(const std::string& name, const nlohmann::ordered_json& fields);
  void count();

  const PredictionFormat format_;
  const std::string no_columns_;  ///< commas
  std::optional<Progress> progress_;
  int64_t done_ = 0, unreadable_ = 0;
};

}  // namespace mobileone::cli
