#include "mobileone/cli/prediction_printer.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "mobileone/report/text.h"
#include "mobileone/util/csv.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"
#include "mobileone/util/one_line.h"

namespace mobileone::cli {

PredictionPrinter::PredictionPrinter(PredictionFormat format, const std::string& columns,
                                     int64_t images)
    : format_(format), no_columns_(static_cast<size_t>(std::ranges::count(columns, ',') + 1), ',') {
  if (format == PredictionFormat::kCsv) fmt::print("image,{},error\n", columns);
  // Where it is not between the results.
  if (images > 0 && ::isatty(STDOUT_FILENO) == 0) progress_.emplace("predicting", images, "img");
}

void PredictionPrinter::print(const std::string& name, const PredictionForms& forms) {
  switch (format_) {
    case PredictionFormat::kText:
      fmt::print("{}{}\n{}", one_line(name),
                 forms.file.empty() ? "" : " -> " + one_line(forms.file), forms.text());
      break;
    case PredictionFormat::kCsv:
      for (const std::string& row : forms.csv()) {
        fmt::print("{},{},\n", csv_field(valid_utf8(name)), row);
      }
      break;
    case PredictionFormat::kJson:
    case PredictionFormat::kJsonLines:
      print_json(name, forms.json());
  }
  count();
}

void PredictionPrinter::print_error(const std::string& name, const std::string& error) {
  log::warning("left out: {}", error);
  ++unreadable_;
  if (format_ == PredictionFormat::kCsv) {
    fmt::print("{},{}{}\n", csv_field(valid_utf8(name)), no_columns_, csv_field(valid_utf8(error)));
  } else if (format_ != PredictionFormat::kText) {
    print_json(name, {{"error", error}});
  }
  count();
}

void PredictionPrinter::print_json(const std::string& name, const nlohmann::ordered_json& fields) {
  nlohmann::ordered_json json = {{"image", name}};
  json.update(fields);
  // Names and paths may be any bytes.
  const std::string text =
      json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  if (format_ == PredictionFormat::kJsonLines) {
    fmt::print("{}\n", text);
  } else {
    fmt::print("{}{}", done_ == 0 ? "[" : ",\n", text);
  }
}

/// A reader at the other end of a pipe gets each image when it is done.
void PredictionPrinter::count() {
  std::fflush(stdout);
  ++done_;
  if (progress_) progress_->update(done_, "");
}

void PredictionPrinter::end() {
  progress_.reset();
  if (format_ == PredictionFormat::kJson) fmt::print("{}]\n", done_ == 0 ? "[" : "");
  if (unreadable_ > 0) throw Error("{} of {} images could not be read", unreadable_, done_);
}

}  // namespace mobileone::cli
