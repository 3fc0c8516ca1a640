#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/cli/options.h"
#include "mobileone/eval/evaluate.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/report/text.h"
#include "mobileone/util/error.h"

namespace mobileone::cli {
namespace {

struct PredictOptions {
  std::string model;
  std::vector<std::string> images;
  int64_t count = 5;
  bool json = false, run_code = false;
};

void predict_all(const PredictOptions& options) {
  const Model model =
      load_model(options.model, choose_device(DeviceChoice::kAuto), /*raw_weights=*/false,
                 options.run_code ? ScriptCode::kRun : ScriptCode::kLeave);
  auto results = nlohmann::ordered_json::array();
  for (const auto& image : options.images) {
    const auto predictions = predict(model, image, options.count);
    nlohmann::ordered_json entry = {{"image", image},
                                    {"predictions", nlohmann::ordered_json::array()}};
    if (!options.json) fmt::print("{}\n", image);
    for (const auto& p : predictions) {
      entry["predictions"].push_back(
          {{"index", p.index}, {"class", p.class_name}, {"probability", p.probability}});
      if (!options.json)
        fmt::print("  {:6.2f} %  {}\n", 100 * p.probability, valid_utf8(p.class_name));
    }
    results.push_back(std::move(entry));
  }
  if (options.json) {
    // Names and paths may be any bytes.
    constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
    fmt::print("{}\n", results.dump(-1, ' ', false, kReplace));
  }
}

}  // namespace

void add_predict(CLI::App& app) {
  auto options = std::make_shared<PredictOptions>();
  auto* command = app.add_subcommand("predict", "Classify images");
  command->add_option("model", options->model, "Checkpoint, published weights or TorchScript")
      ->required();
  command->add_option("images", options->images, "Image files")->required();
  command->add_option("--top", options->count, "Classes to print per image")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_flag("--run-code", options->run_code, kRunCodeHelp);
  command->add_flag("--json", options->json, "Print one JSON array and nothing else");
  command->callback([options] { predict_all(*options); });
}

}  // namespace mobileone::cli
