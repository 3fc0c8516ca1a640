#include "mobileone/config/writer.h"

#include <fmt/ranges.h>

#include <vector>

#include "expected.h"

namespace mobileone {
namespace {

/// A YAML double-quoted scalar.
std::string yaml_quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      out += c;
    }
  }
  return out + '"';
}

/// A field's value as YAML on one line; numbers in the fewest digits that read back the same.
template <typename T>
std::string value_text(T& value) {
  std::vector<std::string> items;
  if constexpr (std::is_same_v<T, std::string>) {
    return yaml_quoted(value);
  } else if constexpr (std::is_enum_v<T>) {
    return std::string(to_string(value));
  } else if constexpr (std::is_arithmetic_v<T>) {
    return fmt::format("{}", value);
  } else if constexpr (Visitable<T>) {
    value.visit([&](std::string_view name, auto& field, const FieldInfo&) {
      items.push_back(fmt::format("{}: {}", name, value_text(field)));
    });
    return fmt::format("{{{}}}", fmt::join(items, ", "));
  } else {
    for (auto& item : value) items.push_back(value_text(item));
    return fmt::format("[{}]", fmt::join(items, ", "));
  }
}

/// Table rows, one a field; a struct's and those of a list of structs are followed by the structs'
/// own fields.
template <Visitable T>
std::string table_rows(T fields, const std::string& prefix) {
  std::string rows;
  fields.visit([&]<typename F>(std::string_view name, F& field, const FieldInfo& info) {
    rows += fmt::format("| `{}{}` | {} | `{}` | {} |\n", prefix, name, expected<F>(info),
                        value_text(field), info.doc);
    if constexpr (Visitable<F>) {
      rows += table_rows(field, fmt::format("{}{}.", prefix, name));
    } else if constexpr (requires { requires Visitable<typename F::value_type>; }) {
      rows += table_rows(typename F::value_type{}, fmt::format("{}{}[].", prefix, name));
    }
  });
  return rows;
}

constexpr std::string_view kIntroduction = R"(# Configuration

<!-- Made by `mobileone config docs > docs/config.md` from include/mobileone/config/. -->

One YAML file says all of a run. It has the sections below; a key that it does not name keeps its
default, and an empty file is a valid configuration.

- `base: other.yaml`, beside the sections, inherits from another file, whose path is relative to the
  file that says it. The base is read first, the file then replaces what it names; a list replaces
  the whole list.
- `section.key=value` on the command line replaces a value after all files, for instance
  `mobileone train configs/quickstart.yaml optimizer.lr=0.02 model.depths=[2,4,4,1]`.
- Paths of data and output are relative to the folder in which the program is started.
- Booleans are `true` and `false`; a quoted number is text; `1e3` and `3.0` are integers, too. Where
  a list may have one number, the number alone will do. An unknown or repeated key, a value of
  another type or out of its range, and values that contradict each other are errors with file, line
  and key, all of them reported at once.

`mobileone config show FILE` prints every value and where it comes from, `mobileone config check
FILE` reports faults only. An editor with a YAML language server completes, explains and checks the
keys while you type, from a JSON schema that the program prints:

```sh
build/mobileone config show configs/imagenet/mobileone_s0.yaml optimizer.lr=0.2
build/mobileone config schema > configs/schema.json
```

The editor finds it by the first line of a configuration, relative to that file:

```yaml
# yaml-language-server: $schema=schema.json
```
)";

}  // namespace

std::vector<ConfigValue> config_values(Config config) {
  std::vector<ConfigValue> values;
  config.visit([&](std::string_view section, auto& fields, const FieldInfo&) {
    fields.visit([&](std::string_view name, auto& field, const FieldInfo& info) {
      values.push_back({std::string(section), std::string(name), value_text(field), info.scope});
    });
  });
  return values;
}

namespace {

/// A line a value, with what `comment` says of it.
template <typename Comment>
std::string yaml_of(const Config& config, Comment&& comment) {
  std::string yaml, section;
  for (const ConfigValue& value : config_values(config)) {
    if (value.section != section) yaml += fmt::format("{}:\n", section = value.section);
    yaml += comment(value, fmt::format("  {}: {}", value.name, value.value)) + "\n";
  }
  return yaml;
}

}  // namespace

std::string to_yaml(const Config& config) {
  return yaml_of(config, [](const ConfigValue&, std::string line) { return line; });
}

std::string to_yaml(const TracedConfig& traced) {
  constexpr size_t kCommentColumn = 48;  // longer values push theirs out
  return yaml_of(traced.config, [&](const ConfigValue& value, const std::string& line) {
    const auto origin = traced.origins.find(value.section + "." + value.name);
    return fmt::format("{:<{}}  # {}", line, kCommentColumn,
                       origin == traced.origins.end() ? "default" : origin->second);
  });
}

std::string config_reference() {
  std::string markdown(kIntroduction);
  Config{}.visit([&](std::string_view section, auto& fields, const FieldInfo& info) {
    markdown += fmt::format(
        "\n## `{}`\n\n{}\n\n| Key | Expects | Default | Meaning |\n|---|---|---|---|\n{}", section,
        info.doc, table_rows(fields, ""));
  });
  return markdown;
}

}  // namespace mobileone
