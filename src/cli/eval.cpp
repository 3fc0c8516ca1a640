#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/cli/endings.h"
#include "mobileone/cli/options.h"
#include "mobileone/config/validate.h"
#include "mobileone/dist/workers.h"
#include "mobileone/eval/calibration.h"
#include "mobileone/eval/confusion.h"
#include "mobileone/eval/report.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/report/text.h"
#include "mobileone/train/same_session.h"
#include "mobileone/util/crc32.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/log.h"

namespace mobileone::cli {
namespace {

struct EvalOptions {
  std::string model, data, report;
  int64_t resize = 0, crop = 0, threads = 0, mistakes = 48;
  EvaluationOptions evaluation;
  bool raw_weights = false, json = false, cpu = false, run_code = false;
};

void print_table(const Evaluation& result) {
  std::vector<std::string> names;
  for (const auto& name : result.class_names) names.push_back(valid_utf8(name));
  size_t width = 5;
  for (const auto& name : names) width = std::max(width, name.size());
  fmt::print("{:<{}}  images  top-1 %\n", "class", width);
  for (const auto& entry : per_class(result)) {
    fmt::print("{:<{}}  {:>6}  {:>7.2f}\n", names[entry.label], width, entry.images,
               entry.percent());
  }
}

void print(const EvalOptions& options, const Model& model, const Evaluation& result) {
  const auto& meter = result.meter;
  const double ece = calibrate(result.images).ece;
  if (options.json) {
    const nlohmann::ordered_json json = {
        {"top1", meter.top1()},     {"top5", meter.top5()},
        {"loss", meter.loss()},     {"ece", ece},
        {"images", meter.images()}, {"images_per_second", result.images_per_second()}};
    fmt::print("{}\n", json.dump());
    return;
  }
  if (result.confusion.size(0) <= 100) print_table(result);
  fmt::print(
      "{} ({}): top-1 {:.2f} %, top-5 {:.2f} %, loss {:.4f}, ECE {:.2f} %, {} images, {:.0f} "
      "img/s\n",
      options.model, model.form, meter.top1(), meter.top5(), meter.loss(), ece, meter.images(),
      result.images_per_second());
}

/// Throws Error unless all processes are to do the same.
void require_same_task(const EvalOptions& options, const ImageList& list, const Workers& workers) {
  if (workers.alone()) return;
  require_same_program(workers);
  require_same("model file", fmt::format("check sum {:08x}", crc32(read_file(options.model))),
               workers);
  require_same_images("set of images", &list, workers);
  require_same("set of options",
               fmt::format("--resize {} --crop {} --batch {}{}", options.resize, options.crop,
                           options.evaluation.batch_size, options.raw_weights ? " --raw" : ""),
               workers);
}

void eval(const EvalOptions& options) {
  require_folder_name("--report", options.report);
  const Place place = place_in_environment();
  set_threads(options.threads, place.local_size);
  const auto device = choose_device(options.cpu ? DeviceChoice::kCpu : DeviceChoice::kAuto, place);
  const Workers workers(place, {.device = device});
  Model model;
  ImageList list;
  Evaluation result;
  workers.run([&] {
    model = load_model(options.model, device, options.raw_weights,
                       options.run_code ? ScriptCode::kRun : ScriptCode::kLeave);
    DataConfig& data = model.config.data;
    if (options.crop > 0) data.eval_crop = options.crop;
    if (options.resize > 0) data.eval_resize = options.resize;
    validate(model.config);
    list = read_image_list(options.data);
    require_same_task(options, list, workers);
    result = evaluate(model, list, options.evaluation, workers);
  });
  if (!workers.first()) return;
  if (result.meter.images() == 0) throw Error("{}: no readable image in it", options.data);
  if (result.damaged > 0) log::warning("{} unreadable images left out", result.damaged);
  if (!options.report.empty()) {
    write_report(options.report, result, model, list, options.mistakes);
  }
  print(options, model, result);
}

}  // namespace

void add_eval(CLI::App& app) {
  auto options = std::make_shared<EvalOptions>();
  auto* command = app.add_subcommand(
      "eval",
      "Measure top-1 and top-5 accuracy of any network file; by several processes with `launch`");
  command->add_option("model", options->model, "Checkpoint, published weights or TorchScript")
      ->required();
  command
      ->add_option("--data", options->data, "Folder of class folders, CSV list, tar shards or pack")
      ->required();
  command
      ->add_option("--resize", options->resize,
                   "Short side before the crop, px [the model's, or 256]")
      ->check(CLI::Range(8, 4096));
  command->add_option("--crop", options->crop, "Centre crop, px [the model's, or 224]")
      ->check(CLI::Range(8, 4096));
  command->add_option("--batch", options->evaluation.batch_size, "Images per batch")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_option("--workers", options->evaluation.workers, "Threads that read images")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--threads", options->threads, "Threads of computation [one per core]")
      ->check(CLI::Range(1, 1024));
  command->add_option("--report", options->report,
                      "Folder for report.html, mistakes.html, confusion.svg and CSV files");
  command->add_option("--mistakes", options->mistakes, "Images in mistakes.html")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  command->add_flag("--raw", options->raw_weights, "Take the raw weights, not the moving average");
  command->add_flag("--run-code", options->run_code, kRunCodeHelp);
  command->add_flag("--cpu", options->cpu, "Compute on the CPU even if there is a GPU");
  command->add_flag("--json", options->json, "Print one JSON object and nothing else");
  command->callback([options] { eval(*options); });
}

}  // namespace mobileone::cli
