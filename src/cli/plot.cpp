#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/cli/endings.h"
#include "mobileone/report/run.h"
#include "mobileone/train/run_folder.h"
#include "mobileone/util/file.h"
#include "mobileone/util/log.h"
#include "mobileone/util/output.h"

namespace mobileone::cli {

void add_plot(CLI::App& app) {
  struct Options {
    std::vector<std::filesystem::path> runs;
    std::string output;
  };
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("plot", "Draw the curves of runs as one HTML page");
  command->add_option("runs", options->runs, "Folders of runs, or their metrics.csv")->required();
  command->add_option("-o,--output", options->output, "HTML page to write")->required();
  command->callback([options] {
    require_ending("--output", options->output, {".html"});
    require_output(options->output, files_of_runs(options->runs));
    const auto runs = read_runs(options->runs);
    for (const auto& run : runs) {
      if (run.metrics.torn) log::warning("{}: its last line is torn and left out", run.name);
    }
    write_whole(options->output, run_page(runs));
    fmt::print("{}: curves of {} run(s)\n", options->output, runs.size());
  });
}

}  // namespace mobileone::cli
