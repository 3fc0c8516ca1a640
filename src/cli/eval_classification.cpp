#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mobileone/cli/tasks.h"
#include "mobileone/eval/calibration.h"
#include "mobileone/eval/confusion.h"
#include "mobileone/eval/report.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"
#include "mobileone/util/one_line.h"

namespace mobileone::cli {
namespace {

void print_table(const Evaluation& result) {
  std::vector<std::string> names;
  for (const auto& name : result.class_names) names.push_back(one_line(name));
  size_t width = 5;
  for (const auto& name : names) width = std::max(width, name.size());
  fmt::print("{:<{}}  images  precision %  recall %    F1 %\n", "class", width);
  for (const auto& entry : per_class(result.images)) {
    fmt::print("{:<{}}  {:>6}  {:>11.2f}  {:>8.2f}  {:>6.2f}\n", names[entry.label], width,
               entry.images, entry.precision(), entry.recall(), entry.f1());
  }
}

void print_json(const Evaluation& result, const MeanScores& scores, double ece) {
  const auto& meter = result.meter;
  nlohmann::ordered_json json = {{"top1", meter.top1()}};
  if (std::isfinite(meter.top5())) json["top5"] = meter.top5();
  json.update({{"loss", meter.loss()},
               {"ece", ece},
               {"balanced_accuracy", scores.balanced_accuracy},
               {"macro_precision", scores.precision},
               {"macro_recall", scores.recall},
               {"macro_f1", scores.f1},
               {"images", meter.images()},
               {"images_per_second", result.images_per_second()},
               {"classes_of_network", result.class_names.size()},
               {"classes_of_data", result.present}});
  auto& classes = json["classes"] = nlohmann::ordered_json::array();
  for (const auto& entry : per_class(result.images)) {
    classes.push_back({{"index", entry.label},
                       {"class", result.class_names[entry.label]},
                       {"images", entry.images},
                       {"precision", entry.precision()},
                       {"recall", entry.recall()},
                       {"f1", entry.f1()}});
  }
  // Names may be any bytes.
  constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
  fmt::print("{}\n", json.dump(-1, ' ', false, kReplace));
}

void print(const EvalOptions& options, const Model& model, const Evaluation& result) {
  const auto& meter = result.meter;
  const double ece = calibrate(result.images).ece;
  const MeanScores scores = mean_scores(result.images);
  if (options.json) return print_json(result, scores, ece);
  if (result.present <= 100) print_table(result);
  const auto classes = std::ssize(result.class_names);
  if (result.present < classes) {
    fmt::print("images of {} of {} classes; {} compete\n", result.present, classes,
               options.inference.evaluation.restrict ? "only these" : "all");
  }
  fmt::print("{} ({}): top-1 {:.2f} %, {}loss {:.4f}, ECE {:.2f} %, {} images, {:.0f} img/s\n",
             options.inference.model, model.form, meter.top1(),
             std::isfinite(meter.top5()) ? fmt::format("top-5 {:.2f} %, ", meter.top5()) : "",
             meter.loss(), ece, meter.images(), result.images_per_second());
  fmt::print("balanced accuracy {:.2f} %; macro precision {:.2f} %, recall {:.2f} %, F1 {:.2f} %\n",
             scores.balanced_accuracy, scores.precision, scores.recall, scores.f1);
}

}  // namespace

void eval_classification(const EvalOptions& options, const Model& model,
                         const Processes& processes) {
  if (processes.first() && !options.report.empty()) {
    require_report(options.report, {options.inference.model, options.data});
  }
  if (!options.masks.empty())
    throw Error("--masks: is for segmentation; {} classifies", model.origin);
  ImageList list;
  Evaluation result;
  processes.run([&] {
    list = read_image_list(options.data);
    require_same_evaluation(options, list, processes);
    result = evaluate(model, list, options.inference.evaluation, processes);
  });
  if (!processes.first()) return;
  if (result.meter.images() == 0) throw Error("{}: no readable image in it", options.data);
  if (result.damaged > 0) log::warning("{} unreadable images left out", result.damaged);
  if (!options.report.empty()) {
    write_report(options.report, result, model, list, options.mistakes);
  }
  print(options, model, result);
}

}  // namespace mobileone::cli
