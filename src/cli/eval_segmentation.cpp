#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "mobileone/cli/tasks.h"
#include "mobileone/data/mask_sets.h"
#include "mobileone/eval/segmentation_report.h"
#include "mobileone/report/text.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"
#include "mobileone/util/one_line.h"

namespace mobileone::cli {
namespace {

/// JSON knows no NaN: null is what there is nothing to say of.
nlohmann::ordered_json number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nullptr;
}

void print_json(const SegmentationEvaluation& result) {
  const PixelConfusion& confusion = result.meter.confusion();
  nlohmann::ordered_json json = {{"miou", number(confusion.miou())},
                                 {"pixel_accuracy", number(confusion.pixel_accuracy())},
                                 {"class_iou", nlohmann::ordered_json::object()},
                                 {"loss", number(result.meter.loss())},
                                 {"images", result.meter.images()},
                                 {"images_per_second", result.images_per_second()}};
  const auto iou = confusion.class_iou();
  for (size_t i = 0; i < iou.size(); ++i) json["class_iou"][result.class_names[i]] = number(iou[i]);
  // Names may be any bytes.
  constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
  fmt::print("{}\n", json.dump(-1, ' ', false, kReplace));
}

std::string text_of(double value) { return number_or("-", value); }

void print_table(const SegmentationEvaluation& result) {
  std::vector<std::string> names;
  for (const auto& name : result.class_names) names.push_back(one_line(name));
  size_t width = 5;
  for (const auto& name : names) width = std::max(width, name.size());
  fmt::print("{:<{}}   IoU %  recall %  precision %  of the pixels %\n", "class", width);
  for (const auto& each : per_class(result.meter.confusion())) {
    fmt::print("{:<{}}  {:>6}  {:>8}  {:>11}  {:>15}\n", names[static_cast<size_t>(each.label)],
               width, text_of(each.iou), text_of(each.recall), text_of(each.precision),
               text_of(each.share));
  }
}

void print(const EvalOptions& options, const Model& model, const SegmentationEvaluation& result) {
  if (options.json) return print_json(result);
  print_table(result);
  const PixelConfusion& confusion = result.meter.confusion();
  fmt::print("{} ({}): mIoU {} %, pixel accuracy {} %, loss {:.4f}, {} images, {:.1f} img/s\n",
             options.inference.model, model.form, text_of(confusion.miou()),
             text_of(confusion.pixel_accuracy()), result.meter.loss(), result.meter.images(),
             result.images_per_second());
}

}  // namespace

void eval_segmentation(const EvalOptions& options, const Model& model, const Processes& processes) {
  if (processes.first() && !options.report.empty()) {
    require_segmentation_report(options.report, {options.inference.model, options.data});
  }
  if (options.inference.evaluation.restrict) {
    throw Error("--restrict: is for classification; {} segments", model.origin);
  }
  ImageList list;
  SegmentationEvaluation result{.meter = SegmentationMeter(1)};
  processes.run([&] {
    list = read_mask_list(options.data, options.masks, model.config.data);
    require_same_evaluation(options, list, processes);
    result = evaluate_segmentation(model, list, options.inference.evaluation, processes);
  });
  if (!processes.first()) return;
  if (result.meter.images() == 0) throw Error("{}: no readable image in it", options.data);
  if (result.damaged > 0) log::warning("{} unreadable images left out", result.damaged);
  if (!options.report.empty()) {
    write_segmentation_report(options.report, result, model, list, options.inference.evaluation,
                              options.mistakes);
  }
  print(options, model, result);
}

}  // namespace mobileone::cli
