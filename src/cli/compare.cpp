#include "mobileone/study/compare.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/cli/endings.h"
#include "mobileone/cli/tasks.h"
#include "mobileone/train/run_folder.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/output.h"

namespace mobileone::cli {

void add_compare(CLI::App& app) {
  struct Options {
    std::vector<std::filesystem::path> runs;
    std::string output;
    CompareOptions compare;
  };
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "compare", "Runs side by side: curves, configuration, accuracy by class, latency");
  command->add_option("runs", options->runs, "Folders of runs, two or more")->required();
  command->add_option("-o,--output", options->output, "HTML page to write")->required();
  command->add_option("--data", options->compare.data,
                      "Annotated images to judge by [each run's data.val]");
  command
      ->add_option("--threads", options->compare.latency.threads,
                   "Threads when latency is measured")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command
      ->add_option("--rounds", options->compare.latency.rounds,
                   "Times that all have their turn, five calls each")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->callback([options] {
    require_ending("--output", options->output, {".html"});
    if (options->runs.size() < 2) throw Error("compare: expected two or more runs, got one");
    auto inputs = files_of_runs(options->runs);
    inputs.emplace_back(options->compare.data);
    require_output(options->output, inputs);
    options->compare.judge = [](const Model& model, const std::string& data) {
      return commands_of(model.config.model.head).judge(model, data);
    };
    write_whole(options->output, comparison_page(options->runs, options->compare));
    fmt::print("{}: {} runs\n", options->output, options->runs.size());
  });
}

}  // namespace mobileone::cli
