#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mobileone/cli/tasks.h"
#include "mobileone/eval/predict.h"
#include "mobileone/report/text.h"
#include "mobileone/util/csv.h"
#include "mobileone/util/error.h"
#include "mobileone/util/one_line.h"

namespace mobileone::cli {
namespace {

std::string text_of(const std::vector<Prediction>& classes) {
  std::string text;
  for (const auto& p : classes) {
    text += fmt::format("  {:6.2f} %  {}\n", 100 * p.probability, one_line(p.class_name));
  }
  return text;
}

std::vector<std::string> csv_of(const std::vector<Prediction>& classes) {
  std::vector<std::string> rows;
  for (const auto& [index, class_name, probability] : classes) {
    rows.push_back(fmt::format("{},{},{},{:.6g}", rows.size() + 1, index,
                               csv_field(valid_utf8(class_name)), probability));
  }
  return rows;
}

nlohmann::ordered_json json_of(const std::vector<Prediction>& classes) {
  auto predictions = nlohmann::ordered_json::array();
  for (const auto& p : classes) {
    predictions.push_back(
        {{"index", p.index}, {"class", p.class_name}, {"probability", p.probability}});
  }
  return {{"predictions", std::move(predictions)}};
}

}  // namespace

int64_t classes_of(const PredictOptions& options, const Model& model) {
  constexpr int64_t kUsual = 5;
  if (options.least_score) {
    throw Error("--least-score: is for objects of detection; {} gives classes (--top)",
                model.origin);
  }
  return options.count.value_or(kUsual);
}

void predict_classes(const PredictOptions& options, const Model& model, const ImageList& images,
                     PredictionPrinter& printer) {
  const int64_t count = classes_of(options, model);
  if (!options.output.empty()) {
    throw Error("--output: is for masks of segmentation and boxes of detection; {} classifies",
                model.origin);
  }
  predict(model, images, count, options.inference.evaluation, [&](const PredictedImage& image) {
    if (!image.error.empty()) return printer.print_error(image.name, image.error);
    printer.print(image.name, {.file = "",
                               .text = [&] { return text_of(image.classes); },
                               .csv = [&] { return csv_of(image.classes); },
                               .json = [&] { return json_of(image.classes); }});
  });
}

}  // namespace mobileone::cli
