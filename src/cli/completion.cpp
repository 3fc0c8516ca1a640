#include <fmt/ranges.h>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/config/schema.h"
#include "mobileone/export/formats.h"

namespace mobileone::cli {
namespace {

/// What can be typed at a place: words, or paths: "folders", "files", or endings of files.
struct Offer {
  std::vector<std::string> words;
  std::string paths = "";
};

/// The paths that an argument takes, by its name or by its command and name; of others, any file.
constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kPaths = {{
    {"config", ".yaml .yml"},
    {"overrides", ""},
    {"command", ""},
    {"runs", "folders"},
    {"folder", "folders"},
    {"--report", "folders"},
    {"--sheet", ".png .html"},
    {"/plot --output", ".html"},
    {"/compare --output", ".html"},
    {"/data/show --output", ".png .html"},
    {"/find-lr --output", ".html"},
    {"/reparam --output", ".pth"},
}};

std::string paths_of(const std::string& command, const std::string& name) {
  for (const auto& [argument, paths] : kPaths) {
    if (argument == name || argument == command + " " + name) return std::string(paths);
  }
  if (command == "/export" && name == "--output") {
    std::string endings;
    for (const auto& format : formats()) endings += fmt::format("{} ", format.ending);
    return endings;
  }
  return "files";
}

/// The values in "TEXT:{fp32,bf16}", which is how CLI11 describes an option that takes only these.
std::vector<std::string> listed_values(const std::string& type) {
  std::vector<std::string> values;
  const size_t open = type.find('{'), close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return values;
  std::string value;
  for (const char c : type.substr(open + 1, close - open - 1) + ",") {
    if (c != ',') {
      value += c;
    } else {
      values.push_back(std::exchange(value, ""));
    }
  }
  return values;
}

/// What may follow an option, or stand in place of an argument.
Offer offer_of(const CLI::Option& option, const std::string& command) {
  const std::string type = option.get_type_name();
  if (auto values = listed_values(type); !values.empty()) return {std::move(values)};
  if (!type.starts_with("TEXT")) return {};  // a number
  const auto& names = option.get_lnames();
  return {{}, paths_of(command, names.empty() ? option.get_name() : "--" + names.front())};
}

std::string pattern(const std::string& command, const CLI::Option& option) {
  std::vector<std::string> spelled;
  for (const auto& name : option.get_snames())
    spelled.push_back(fmt::format("'{} -{}'", command, name));
  for (const auto& name : option.get_lnames())
    spelled.push_back(fmt::format("'{} --{}'", command, name));
  return fmt::format("{}", fmt::join(spelled, "|"));
}

std::string branch(const std::string& pattern, const Offer& offer) {
  return fmt::format("    {}) words='{}' paths='{}' ;;\n", pattern, fmt::join(offer.words, " "),
                     offer.paths);
}

/// Keys of a configuration with what each takes, from its schema.
void collect_keys(const nlohmann::ordered_json& schema, const std::string& prefix,
                  std::vector<std::pair<std::string, Offer>>& keys) {
  for (const auto& [name, field] : schema.at("properties").items()) {
    const std::string key = prefix + name;
    if (key == "base") continue;  // of a file, no key to override
    if (field.contains("properties")) {
      collect_keys(field, key + ".", keys);
      continue;
    }
    Offer offer;
    if (field.contains("enum")) {
      for (const auto& value : field["enum"]) {
        offer.words.push_back(value.is_string() ? value.get<std::string>() : value.dump());
      }
    } else if (field.value("type", nlohmann::ordered_json()) == "boolean") {
      offer.words = {"true", "false"};
    } else if (field.value("type", nlohmann::ordered_json()).is_array()) {
      offer.paths = "files";  // a text: folders and files
    }
    keys.emplace_back(key, std::move(offer));
  }
}

/// The parts of the script below: what tells commands apart, and what follows what.
struct Grammar {
  std::vector<std::string> commands;          ///< "/bench/latency"
  std::string after_commands, after_options;  ///< branches of `case`
};

void collect_grammar(const CLI::App& command, const std::string& path,
                     const std::vector<std::string>& keys, Grammar& grammar) {
  Offer offer;
  for (const auto* subcommand : command.get_subcommands({})) {
    offer.words.push_back(subcommand->get_name());
  }
  for (const auto* option : command.get_options()) {
    for (const auto& name : option->get_lnames()) offer.words.push_back("--" + name);
    if (option->get_name() == "overrides") {
      for (const auto& key : keys) offer.words.push_back(key + "=");
    }
    const Offer own = offer_of(*option, path);
    if (option->get_positional()) {
      offer.paths += (offer.paths.empty() || own.paths.empty() ? "" : " ") + own.paths;
    } else if (option->get_items_expected_max() > 0) {
      grammar.after_options += branch(pattern(path, *option), own);
    }
  }
  grammar.after_commands += branch(fmt::format("'{}'", path), offer);
  if (!path.empty()) grammar.commands.push_back(path);
  for (const auto* subcommand : command.get_subcommands({})) {
    collect_grammar(*subcommand, path + "/" + subcommand->get_name(), keys, grammar);
  }
}

// Words that bash splits at "=" are put together again; zsh leaves them whole.
constexpr const char* kScript = R"(_mobileone() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
  local command= key= prefix= words= paths= ending i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "$command/${{COMP_WORDS[i]}}" in
      {0}) command=$command/${{COMP_WORDS[i]}} ;;
      /launch/*) case "/${{COMP_WORDS[i]}}" in {0}) command=/${{COMP_WORDS[i]}} ;; esac ;;
    esac
  done
  if [[ $current == = ]]; then
    key=$before current=
  elif [[ $before == = ]]; then
    key=${{COMP_WORDS[COMP_CWORD - 2]}}
  elif [[ $current == *=* ]]; then
    key=${{current%%=*}} prefix=${{current%%=*}}= current=${{current#*=}}
  fi
  case "$command" in
{1}  esac
  case "$command $before" in
{2}  esac
  if [[ -n $key ]]; then
    words= paths=
    case "$key" in
{3}    esac
  fi
  COMPREPLY=($(compgen -P "$prefix" -W "$words" -- "$current"))
  local endings=($paths) IFS=$'\n'
  if [[ $current != -* ]]; then
    for ending in "${{endings[@]}}"; do
      case "$ending" in
        files) COMPREPLY+=($(compgen -P "$prefix" -f -- "$current")) ;;
        folders) COMPREPLY+=($(compgen -P "$prefix" -d -- "$current")) ;;
        *) COMPREPLY+=($(compgen -P "$prefix" -f -X "!*$ending" -- "$current")) ;;
      esac
    done
    [[ $paths == .* ]] && COMPREPLY+=($(compgen -P "$prefix" -d -- "$current"))
  fi
  [[ ${{#COMPREPLY[@]}} -eq 1 && ${{COMPREPLY[0]}} == *= ]] && compopt -o nospace 2>/dev/null
  return 0
}}
complete -o filenames -F _mobileone mobileone
)";

/// In bash; zsh runs the same by its bashcompinit.
std::string completion_script(const CLI::App& app) {
  std::vector<std::pair<std::string, Offer>> offers;
  collect_keys(nlohmann::ordered_json::parse(config_schema()), "", offers);
  std::vector<std::string> keys;
  std::string after_keys;
  for (const auto& [key, offer] : offers) {
    keys.push_back(key);
    if (!offer.words.empty() || !offer.paths.empty()) after_keys += "  " + branch(key, offer);
  }
  Grammar grammar;
  collect_grammar(app, "", keys, grammar);
  return fmt::format(fmt::runtime(kScript), fmt::join(grammar.commands, "|"),
                     grammar.after_commands, grammar.after_options, after_keys);
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
