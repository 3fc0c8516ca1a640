#include "mobileone/dist/launch.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/train/run_folder.h"
#include "mobileone/util/error.h"
#include "mobileone/util/number.h"

namespace mobileone::cli {
namespace {

struct LaunchCommand {
  int64_t processes = 0, restarts = 0;
  std::string elastic;
  std::vector<std::string> command;
};

/// "1:2": the fewest and the most processes.
std::pair<int64_t, int64_t> elastic_range(const std::string& text) {
  const size_t colon = text.find(':');
  const auto fewest = parse_number<int64_t>(text.substr(0, colon));
  const auto most = colon == std::string::npos
                        ? std::nullopt
                        : parse_number<int64_t>(std::string_view(text).substr(colon + 1));
  if (!fewest || !most || *fewest < 1 || *most < *fewest) {
    throw Error("--elastic: expected FEWEST:MOST processes, such as 1:2, got '{}'", text);
  }
  return {*fewest, *most};
}

/// `train`'s arguments without those that say where to begin.
std::vector<std::string> without_start(const std::vector<std::string>& arguments) {
  std::vector<std::string> kept;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--resume" || arguments[i].starts_with("--resume-from=")) continue;
    if (arguments[i] == "--resume-from") {
      ++i;
    } else {
      kept.push_back(arguments[i]);
    }
  }
  return kept;
}

/// The folder of the run that `train`'s arguments tell of.
std::string run_folder(const std::vector<std::string>& arguments) {
  std::vector<std::string> plain = without_start(arguments);
  plain.erase(plain.begin());
  std::erase(plain, "--accept-changes");
  if (plain.empty()) throw Error("launch: train: expected a YAML configuration, got none");
  if (plain.front().starts_with("-")) return "";  // such as --help
  return load_run_config(plain.front(), {plain.begin() + 1, plain.end()}).output.dir;
}

int launch_command(const LaunchCommand& options) {
  const auto& words = options.command;
  const bool train = !words.empty() && words[0] == "train";
  const bool eval = !words.empty() && words[0] == "eval";
  const bool bench = words.size() > 1 && words[0] == "bench" && words[1] == "train";
  if (!train && !eval && !bench) {
    throw Error("launch: expected `train`, `eval` or `bench train` and its arguments, got '{}'",
                words.empty() ? "" : words.front());
  }
  LaunchOptions launching = {.processes = options.processes, .restarts = options.restarts};
  if (!options.elastic.empty()) {
    const auto [fewest, most] = elastic_range(options.elastic);
    launching.fewest = fewest;
    if (launching.processes == 0) launching.processes = most;
    if (launching.processes < fewest || launching.processes > most) {
      throw Error("-n: expected {} to {} processes, as --elastic says, got {}", fewest, most,
                  launching.processes);
    }
  }
  if (launching.processes == 0) throw Error("launch: expected -n or --elastic, got neither");
  const std::string folder = train ? run_folder(words) : "";
  // A run that is there already is not the one that a restart would go on with.
  const bool may_go_on = train && (without_start(words) != words || !has_run(folder));
  launching.command = [&](int64_t attempt) {
    std::vector<std::string> command{std::filesystem::read_symlink("/proc/self/exe").string()};
    const bool goes_on = may_go_on && attempt > 0 && has_run(folder);
    const auto arguments = goes_on ? without_start(options.command) : options.command;
    command.insert(command.end(), arguments.begin(), arguments.end());
    if (goes_on) command.push_back("--resume");
    return command;
  };
  return launch(launching);
}

}  // namespace

void add_launch(CLI::App& app) {
  auto options = std::make_shared<LaunchCommand>();
  auto* command = app.add_subcommand(
      "launch", "Run `train`, `eval` or `bench train` by several processes of this machine");
  command->add_option("-n,--processes", options->processes, "Processes")
      ->check(CLI::Range(1, 1024));
  command
      ->add_option("--restarts", options->restarts,
                   "Times to go on from the last checkpoint after a process died")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  command->add_option("--elastic", options->elastic,
                      "FEWEST:MOST; a restart makes do with the processes that are left");
  command->prefix_command();  // what follows our options is a command with its own
  command->callback([options, command] {
    options->command = command->remaining();
    if (const int status = launch_command(*options); status != 0) throw CLI::RuntimeError(status);
  });
}

}  // namespace mobileone::cli
