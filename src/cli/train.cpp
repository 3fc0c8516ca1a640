#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/dist/processes.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/train/run_folder.h"
#include "mobileone/train/trainer.h"
#include "mobileone/util/error.h"

namespace mobileone::cli {

void add_train(CLI::App& app) {
  struct Options {
    std::string config;
    std::vector<std::string> overrides;
    TrainingStart start;
  };
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("train", "Train the network that a YAML file describes");
  command
      ->add_option("config", options->config,
                   "YAML configuration, or the folder of a run to go on with")
      ->required();
  command->add_option("overrides", options->overrides, "section.key=value, e.g. optimizer.lr=0.05");
  command->add_flag("--resume", options->start.resume, "Go on from last.pth in output.dir");
  command->add_option("--resume-from", options->start.from,
                      "Go on from this checkpoint of the run, for instance its last-1.pth");
  command->add_flag("--accept-changes", options->start.accept_changes,
                    "Go on although settings or images make it another experiment, or logs are "
                    "gone");
  command->callback([options, command] {
    if (command->count("--resume-from") > 0 && options->start.from.empty()) {
      throw Error("--resume-from: expected a checkpoint, got nothing");
    }
    const Config config = load_run_config(options->config, options->overrides);
    const Place place = place_in_environment();
    const Processes processes(
        place, {.timeout = std::chrono::milliseconds(std::llround(1e3 * config.runtime.timeout)),
                .device = choose_device(config.runtime.device, place)});
    const int signal = train(config, options->start, processes);
    if (signal != 0) throw CLI::RuntimeError(128 + signal);
  });
}

}  // namespace mobileone::cli
