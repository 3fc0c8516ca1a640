#include <memory>
#include <set>
#include <string>

#include "mobileone/cli/commands.h"
#include "mobileone/cli/endings.h"
#include "mobileone/cli/tasks.h"
#include "mobileone/dist/processes.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/train/same_session.h"
#include "mobileone/util/crc32.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/log.h"

namespace mobileone::cli {

void require_same_evaluation(const EvalOptions& options, const ImageList& list,
                             const Processes& processes) {
  if (processes.alone()) return;
  require_same_program(processes);
  require_same("model file",
               fmt::format("check sum {:08x}", crc32(read_file(options.inference.model))),
               processes);
  require_same_images("set of images", &list, processes);
  const InferenceOptions& inference = options.inference;
  const EvaluationOptions& evaluation = inference.evaluation;
  require_same(
      "set of options",
      fmt::format("--resize {} --crop {} --batch {} --precision {}{}{}, {}", inference.resize,
                  inference.crop, evaluation.batch_size, to_string(evaluation.precision),
                  evaluation.restrict ? " --restrict" : "", inference.run_code ? " --run-code" : "",
                  inference.weights ? to_string(*inference.weights) : "better weights"),
      processes);
}

namespace {

/// Throws Error where an option is given that results in a file have no use for.
void require_no_network_options(const CLI::App& command) {
  const std::set<std::string> useful = {"--detections", "--data", "--report", "--json", "--help"};
  for (const auto* option : command.get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || useful.contains(name)) continue;
    throw Error("--detections: there is no network to run, leave out {}", name);
  }
}

void eval(const EvalOptions& options) {
  require_folder_name("--report", options.report);
  const Place place = place_in_environment();
  if (!options.detections.empty()) {
    if (place.rank == 0) eval_results(options);  // there is nothing to share out
    return;
  }
  if (options.inference.model.empty()) {
    throw Error("model is required: name the network's file, or --detections RESULTS.json");
  }
  set_threads(options.inference.threads, place.local_size);
  const auto device = choose_device(options.inference.device(), place);
  const Processes processes(place, {.device = device});
  if (!processes.first()) log::only_warnings();
  Model model;
  processes.run([&] { model = load_model(options.inference, device); });
  commands_of(model.config.model.head).eval(options, model, processes);
}

}  // namespace

void add_eval(CLI::App& app) {
  auto options = std::make_shared<EvalOptions>();
  auto* command = app.add_subcommand(
      "eval", "Measure the accuracy of any network file; by several processes with `launch`");
  add_inference_options(*command, options->inference);
  command
      ->add_option("--data", options->data,
                   "Folder of class folders, CSV list, tar shards or pack; for segmentation folder "
                   "of images with masks beside it, list, shards or pack; for --detections COCO's "
                   "instances, a JSON file")
      ->required();
  command->add_option("--masks", options->masks,
                      "Segmentation: folder of the masks [beside the images]");
  command->add_option(
      "--annotations", options->annotations,
      "Detection: COCO's JSON, or the folder of VOC's or YOLO's annotations [beside "
      "the images]");
  command->add_option("--detections", options->detections,
                      "COCO's results, a JSON file: judge these instead of a network's");
  command->add_option("--results", options->results,
                      "Detection: write what is found as COCO's results, a JSON file");
  command->add_option("--report", options->report, "Folder for report.html and what belongs to it");
  command->add_option("--mistakes", options->mistakes, "Worst images to show in the report")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  command->add_flag("--restrict", options->inference.evaluation.restrict,
                    "Let only the classes compete that the data has images of");
  command->add_flag("--json", options->json, "Print one JSON object and nothing else");
  command->get_option("model")->required(false);
  command->callback([options, command] {
    if (!options->detections.empty()) require_no_network_options(*command);
    eval(*options);
  });
}

}  // namespace mobileone::cli
