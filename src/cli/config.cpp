#include <memory>
#include <string>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/config/reader.h"
#include "mobileone/config/schema.h"
#include "mobileone/config/writer.h"

namespace mobileone::cli {

void add_config(CLI::App& app) {
  struct Options {
    std::string file;
    std::vector<std::string> overrides;
  };
  auto options = std::make_shared<Options>();
  auto* config = app.add_subcommand("config", "Check, show and explain configurations");
  config->require_subcommand(1);
  const auto add_file_command = [&](const char* name, const char* what) {
    auto* command = config->add_subcommand(name, what);
    command->add_option("config", options->file, "YAML configuration")->required();
    command->add_option("overrides", options->overrides, "section.key=value");
    return command;
  };
  add_file_command("check", "Validate only")->callback([options] {
    load_config(options->file, options->overrides);
    fmt::print("{}: ok\n", options->file);
  });
  add_file_command("show", "Print every value and where it comes from")->callback([options] {
    fmt::print("{}", to_yaml(load_traced_config(options->file, options->overrides)));
  });
  config->add_subcommand("docs", "Print the reference of all keys (docs/config.md)")->callback([] {
    fmt::print("{}", config_reference());
  });
  config->add_subcommand("schema", "Print a JSON schema of configurations, for editors")
      ->callback([] { fmt::print("{}", config_schema()); });
}

}  // namespace mobileone::cli
