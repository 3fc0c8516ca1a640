#include "mobileone/eval/predict.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/cli/inference_options.h"
#include "mobileone/cli/options.h"
#include "mobileone/data/image_inputs.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/report/text.h"
#include "mobileone/util/csv.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"
#include "mobileone/util/one_line.h"
#include "mobileone/util/progress.h"

namespace mobileone::cli {

enum class PredictionFormat { kText, kCsv, kJson, kJsonLines };
inline constexpr auto enum_names(PredictionFormat) {
  return std::array<EnumName<PredictionFormat>, 4>{{{PredictionFormat::kText, "text"},
                                                    {PredictionFormat::kCsv, "csv"},
                                                    {PredictionFormat::kJson, "json"},
                                                    {PredictionFormat::kJsonLines, "jsonl"}}};
}

namespace {

struct PredictOptions {
  InferenceOptions inference;
  std::vector<std::string> images, lists;
  int64_t count = 5;
  PredictionFormat format = PredictionFormat::kText;
  bool json = false;
};

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

void predict_all(const PredictOptions& options) {
  set_threads(options.inference.threads);
  std::vector<std::string> inputs = options.images;
  for (const auto& list : options.lists) {
    const auto paths = read_path_list(list);
    inputs.insert(inputs.end(), paths.begin(), paths.end());
  }
  const ImageList images = read_image_inputs(inputs);
  const Model model = load_model(options.inference, choose_device(options.inference.device()));
  PredictionPrinter printer(options.json ? PredictionFormat::kJson : options.format);
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

}  // namespace

void add_predict(CLI::App& app) {
  auto options = std::make_shared<PredictOptions>();
  auto* command = app.add_subcommand("predict", "Classify images, with any network file");
  add_inference_options(*command, options->inference);
  command->add_option("images", options->images,
                      "Image files, folders, patterns, CSV lists, tar shards, packs; - for the "
                      "bytes of one image from standard input");
  command->add_option(
      "--list", options->lists,
      "File of such names, one a line or each ended by a NUL; - for standard input");
  command->add_option("--top", options->count, "Classes to print per image")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  add_enum_option(*command, "--format", options->format, "What to print");
  command->add_flag("--json", options->json, "Print one JSON array and nothing else");
  command->callback([options] { predict_all(*options); });
}

}  // namespace mobileone::cli
