#include "mobileone/config/study.h"

#include <memory>
#include <string>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/study/branches.h"
#include "mobileone/study/latency_studies.h"

namespace mobileone::cli {
namespace {

/// Adds `study NAME CONFIG [section.key=value...]`; `run` returns 0 or a signal.
template <typename Study, typename Run>
void add_one(CLI::App& study, const std::string& name, const std::string& description, Run run) {
  struct Options {
    std::string config;
    std::vector<std::string> overrides;
  };
  auto options = std::make_shared<Options>();
  auto* command = study.add_subcommand(name, description);
  command->add_option("config", options->config, "YAML, such as configs/studies/" + name + ".yaml")
      ->required();
  command->add_option("overrides", options->overrides, "key=value, e.g. latency.threads=2");
  command->callback([=] {
    const auto config = load_study<Study>(options->config, options->overrides);
    if (const int signal = run(config); signal != 0) throw CLI::RuntimeError(128 + signal);
    fmt::print("{}/{}.html\n{}/{}.csv\n", config.output, name, config.output, name);
  });
}

}  // namespace

void add_study(CLI::App& app) {
  auto* study = app.add_subcommand("study", "Measure what makes networks fast and accurate");
  study->require_subcommand(1);
  const auto without_signal = [](auto run) {
    return [run](const auto& config) {
      run(config);
      return 0;
    };
  };
  add_one<ScatterStudy>(*study, "scatter", "Multiply-adds and parameters against latency",
                        without_signal(study_scatter));
  add_one<ActivationsStudy>(*study, "activations", "Latency of activation functions",
                            without_signal(study_activations));
  add_one<BlocksStudy>(*study, "blocks", "Latency of building blocks",
                       without_signal(study_blocks));
  add_one<BranchesStudy>(*study, "branches", "Accuracy and training time: a grid of training runs",
                         study_branches);
}

}  // namespace mobileone::cli
