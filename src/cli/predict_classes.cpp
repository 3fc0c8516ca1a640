#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "mobileone/cli/tasks.h"
#include "mobileone/eval/predict.h"
#include "mobileone/report/text.h"
#include "mobileone/util/csv.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"
#include "mobileone/util/one_line.h"
#include "mobileone/util/progress.h"
#include "mobileone/util/utf8.h"

namespace mobileone::cli {
namespace {

void print_text(const PredictedImage& image) {
  if (!image.error.empty()) return;  // the log has it
  fmt::print("{}\n", one_line(image.name));
  for (const auto& p : image.classes) {
    fmt::print("  {:6.2f} %  {}\n", 100 * p.probability, one_line(p.class_name));
  }
}

void print_csv(const PredictedImage& image) {
  const std::string name = csv_field(valid_utf8(image.name));
  if (!image.error.empty()) fmt::print("{},,,,,{}\n", name, csv_field(valid_utf8(image.error)));
  for (size_t i = 0; i < image.classes.size(); ++i) {
    const auto& [index, class_name, probability] = image.classes[i];
    fmt::print("{},{},{},{},{:.6g},\n", name, i + 1, index, csv_field(valid_utf8(class_name)),
               probability);
  }
}

std::string to_json(const PredictedImage& image) {
  nlohmann::ordered_json json = {{"image", image.name}};
  if (image.error.empty()) {
    auto& predictions = json["predictions"] = nlohmann::ordered_json::array();
    for (const auto& p : image.classes) {
      predictions.push_back(
          {{"index", p.index}, {"class", p.class_name}, {"probability", p.probability}});
    }
  } else {
    json["error"] = image.error;
  }
  // Names and paths may be any bytes.
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// Prints each image as it comes.
class PredictionPrinter {
 public:
  explicit PredictionPrinter(PredictionFormat format) : format_(format) {
    if (format == PredictionFormat::kCsv) fmt::print("image,rank,index,class,probability,error\n");
  }

  void print(const PredictedImage& image) {
    switch (format_) {
      case PredictionFormat::kText:
        return print_text(image);
      case PredictionFormat::kCsv:
        return print_csv(image);
      case PredictionFormat::kJson:
        fmt::print("{}{}", any_ ? ",\n" : "[", to_json(image));
        any_ = true;
        return;
      case PredictionFormat::kJsonLines:
        return fmt::print("{}\n", to_json(image));
    }
  }

  void end() {
    if (format_ == PredictionFormat::kJson) fmt::print("]\n");
  }

 private:
  const PredictionFormat format_;
  bool any_ = false;
};

}  // namespace

void predict_classes(const PredictOptions& options, const Model& model, const ImageList& images) {
  if (!options.output.empty()) {
    throw Error("--output: is for masks of segmentation; {} classifies", model.origin);
  }
  PredictionPrinter printer(options.format);
  std::optional<Progress> progress;  // where it is not between the results
  if (::isatty(STDOUT_FILENO) == 0) progress.emplace("predicting", images.size(), "img");
  int64_t done = 0;
  const int64_t unreadable = predict(model, images, options.count, options.inference.evaluation,
                                     [&](const PredictedImage& image) {
                                       if (!image.error.empty())
                                         log::warning("left out: {}", image.error);
                                       printer.print(image);
                                       if (progress) progress->update(++done, "");
                                     });
  printer.end();
  if (unreadable > 0) {
    throw Error("{} of {} images could not be read", unreadable, images.size());
  }
}

}  // namespace mobileone::cli
