#include <fmt/ranges.h>

#include <cstdio>
#include <string>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/config/config.h"

namespace mobileone::cli {
namespace {

/// What can follow a command: "/bench/latency" and its options and subcommands.
struct Completion {
  std::string path;
  std::vector<std::string> words;
};

std::vector<std::string> configuration_keys() {
  std::vector<std::string> keys;
  Config{}.visit([&](std::string_view section, auto& fields, const FieldInfo&) {
    fields.visit([&](std::string_view key, auto&, const FieldInfo&) {
      keys.push_back(fmt::format("{}.{}=", section, key));
    });
  });
  return keys;
}

void collect(const CLI::App& command, const std::string& path, std::vector<Completion>& found) {
  Completion completion{path, {}};
  for (const auto* subcommand : command.get_subcommands({})) {
    completion.words.push_back(subcommand->get_name());
  }
  for (const auto* option : command.get_options()) {
    for (const auto& name : option->get_lnames()) completion.words.push_back("--" + name);
    if (option->get_name() != "overrides") continue;
    for (auto& key : configuration_keys()) completion.words.push_back(std::move(key));
  }
  found.push_back(std::move(completion));
  for (const auto* subcommand : command.get_subcommands({})) {
    collect(*subcommand, path + "/" + subcommand->get_name(), found);
  }
}

constexpr const char* kScript = R"(_mobileone() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} path= words= i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "$path/${{COMP_WORDS[i]}}" in
      {}) path=$path/${{COMP_WORDS[i]}} ;;
    esac
  done
  case "$path" in
{}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  local IFS=$'\n'
  [[ -z $path || $current == -* ]] || COMPREPLY+=($(compgen -f -- "$current"))
  [[ ${{#COMPREPLY[@]}} -eq 1 && ${{COMPREPLY[0]}} == *= ]] && compopt -o nospace 2>/dev/null
  return 0
}}
complete -o filenames -F _mobileone mobileone
)";

/// In bash; zsh runs the same by its bashcompinit.
std::string completion_script(const CLI::App& app) {
  std::vector<Completion> completions;
  collect(app, "", completions);
  std::vector<std::string> paths;
  std::string cases;
  for (const auto& [path, words] : completions) {
    if (!path.empty()) paths.push_back(path);
    cases += fmt::format("    '{}') words='{}' ;;\n", path, fmt::join(words, " "));
  }
  return fmt::format(fmt::runtime(kScript), fmt::join(paths, "|"), cases);
}

}  // namespace

void add_completion(CLI::App& app) {
  auto* command =
      app.add_subcommand("completion", "Print a script that completes commands in a shell");
  command->require_subcommand(1);
  command->add_subcommand("bash", "For ~/.bashrc: source <(mobileone completion bash)")
      ->callback([&app] { fmt::print("{}", completion_script(app)); });
  command->add_subcommand("zsh", "For ~/.zshrc: source <(mobileone completion zsh)")
      ->callback([&app] {
        fmt::print(
            "autoload -U +X compinit && compinit -u\nautoload -U +X bashcompinit && "
            "bashcompinit\n{}",
            completion_script(app));
      });
}

}  // namespace mobileone::cli
