#include "document.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "expected.h"
#include "mobileone/config/config.h"
#include "mobileone/config/nearest.h"
#include "mobileone/config/study.h"
#include "mobileone/util/number.h"
#include "yaml_text.h"

namespace mobileone {
namespace {

/// What an error is about: the key, as "section.key", and its line.
struct Spot {
  std::string key;
  int line = 0;
};

int line_of(const YAML::Node& node) { return node.Mark().line + 1; }

/// A scalar without quotes or a tag: the only form that YAML resolves to a number or a truth value.
bool is_plain(const YAML::Node& node) { return node.IsScalar() && node.Tag() == "?"; }

std::string quoted(std::string text) {
  constexpr size_t kLongest = 60;
  if (text.size() > kLongest) {
    size_t cut = kLongest;
    while (cut > 0 && (text[cut] & 0xC0) == 0x80) --cut;  // not within a UTF-8 character
    text.resize(cut);
    text += "...";
  }
  return "'" + text + "'";
}

std::string described(const YAML::Node& node) {
  if (node.IsMap()) return "a map";
  if (node.IsSequence()) return fmt::format("a list of {}", node.size());
  if (!node.IsScalar()) return "nothing";
  return (is_plain(node) ? "" : "the text ") + quoted(node.Scalar());
}

/// Whole numbers in any notation, as JSON has them: 3, 3.0, 1e3.
std::optional<int64_t> parse_integer(const std::string& text) {
  if (const auto digits = parse_number<int64_t>(text)) return digits;
  const auto real = parse_number<double>(text);
  if (!real || *real != std::trunc(*real) || std::abs(*real) >= 0x1p63) return std::nullopt;
  return static_cast<int64_t>(*real);
}

template <typename T>
std::optional<T> parse_scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if constexpr (std::is_same_v<T, std::string>) {
    return node.IsScalar() ? std::optional(text) : std::nullopt;
  } else if constexpr (std::is_enum_v<T>) {
    return from_string<T>(text);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!is_plain(node) || (text != "true" && text != "false")) return std::nullopt;
    return text == "true";
  } else if constexpr (std::is_integral_v<T>) {
    return is_plain(node) ? parse_integer(text) : std::nullopt;
  } else {
    return is_plain(node) ? parse_number<T>(text) : std::nullopt;
  }
}

template <typename T>
bool in_range(const T& value, const FieldInfo& info) {
  if constexpr (std::is_arithmetic_v<T>) {
    const auto exact = static_cast<long double>(value);
    return exact >= info.min && exact <= info.max;
  }
  return true;
}

/// A hint for a key that another section has: "lr" is "optimizer.lr".
std::string did_you_mean_elsewhere(std::string_view name) {
  std::string hint;
  Config{}.visit([&](std::string_view section, auto& fields, const FieldInfo&) {
    fields.visit([&](std::string_view key, auto&, const FieldInfo&) {
      if (key == name) hint = fmt::format("; did you mean '{}.{}'?", section, key);
    });
  });
  return hint;
}

/// Reads nodes into fields of any type that config.h uses. `read` reports what is wrong, leaves the
/// field as it was then, and returns whether all was well.
class DocumentReader {
 public:
  DocumentReader(const Place& place, Findings& findings) : place_(place), findings_(findings) {}

  template <typename T>
  bool read(const YAML::Node& node, const Spot& spot, const FieldInfo& info, T& field) {
    const auto value = parse_scalar<T>(node);
    if (value && in_range(*value, info)) {
      field = *value;
      return true;
    }
    std::string hint;
    if constexpr (std::is_enum_v<T>) hint = did_you_mean(node.Scalar(), names_of_enum<T>());
    return refuse<T>(node, spot, info, hint);
  }

  template <Visitable T>
  bool read(const YAML::Node& node, const Spot& spot, const FieldInfo& info, T& fields) {
    if (node.IsNull()) return true;  // a section whose keys are all commented out
    if (!node.IsMap()) return refuse<T>(node, spot, info);
    std::map<std::string, int> lines;
    bool valid = true;
    for (const auto& entry : node) {
      const std::string& name = entry.first.Scalar();
      const int line = line_of(entry.first);
      const Spot at{spot.key.empty() ? name : spot.key + "." + name, line};
      const auto [first, is_new] = lines.emplace(name, line);
      if (!entry.first.IsScalar()) {
        valid = report({spot.key, line}, "expected a key, got " + described(entry.first));
      } else if (!is_new) {
        valid = report(at, fmt::format("given twice, first in line {}", first->second));
      } else {
        valid &= read_field(name, entry.second, at, fields);
      }
    }
    return valid;
  }

  template <typename T>
  bool read(const YAML::Node& node, const Spot& spot, const FieldInfo& info, std::vector<T>& list) {
    if (!node.IsSequence()) return read_single(node, spot, info, list);
    std::vector<T> values(node.size());
    const bool valid = read_items(node, spot, info, values);
    if (valid) list = std::move(values);
    return valid;
  }

  template <typename T, size_t N>
  bool read(const YAML::Node& node, const Spot& spot, const FieldInfo& info,
            std::array<T, N>& list) {
    if (!node.IsSequence() || node.size() != N) {
      return refuse<std::array<T, N>>(node, spot, info);
    }
    std::array<T, N> values;
    const bool valid = read_items(node, spot, info, values);
    if (valid) list = values;
    return valid;
  }

 private:
  /// A number in place of a list of numbers.
  template <typename T>
  bool read_single(const YAML::Node& node, const Spot& spot, const FieldInfo& info,
                   std::vector<T>& list) {
    if constexpr (std::is_arithmetic_v<T>) {
      const auto value = parse_scalar<T>(node);
      if (value && in_range(*value, info) && takes_single_number<std::vector<T>>(info)) {
        list = {*value};
        return true;
      }
    }
    return refuse<std::vector<T>>(node, spot, info);
  }

  template <typename List>
  bool read_items(const YAML::Node& node, const Spot& spot, const FieldInfo& info, List& values) {
    FieldInfo item_info = info;
    item_info.allowed = {};  // they are the list's lengths
    bool valid = true;
    for (size_t i = 0; i < values.size(); ++i) {
      const Spot at{fmt::format("{}[{}]", spot.key, i), line_of(node[i])};
      valid &= read(node[i], at, item_info, values[i]);
    }
    return valid;
  }

  template <Visitable T>
  bool read_field(const std::string& name, const YAML::Node& value, const Spot& spot, T& fields) {
    std::optional<bool> valid;
    fields.visit([&](std::string_view key, auto& field, const FieldInfo& info) {
      if (key == name) valid = read(value, spot, info, field);
    });
    if (!valid) return refuse_name(name, spot, names_of_fields<T>());
    findings_.settings[spot.key] = {place_(spot.line), *valid};
    return *valid;
  }

  bool refuse_name(const std::string& name, const Spot& spot,
                   const std::vector<std::string_view>& known) {
    std::string hint = did_you_mean(name, known);
    if (hint.empty()) hint = did_you_mean_elsewhere(name);
    const std::string_view kind = spot.key == name ? "section" : "key";
    return report(spot,
                  fmt::format("unknown {}{} (known: {})", kind, hint, fmt::join(known, ", ")));
  }

  template <typename T>
  bool refuse(const YAML::Node& node, const Spot& spot, const FieldInfo& info,
              const std::string& hint = "") {
    return report(spot,
                  fmt::format("expected {}, got {}{}", expected<T>(info), described(node), hint));
  }

  bool report(const Spot& spot, const std::string& message) {
    findings_.report(place_(spot.line), spot.key.empty() ? message : spot.key + ": " + message);
    return false;
  }

  const Place& place_;
  Findings& findings_;
};

}  // namespace

std::string on_one_line(std::string text) {
  std::ranges::replace_if(
      text, [](unsigned char c) { return std::iscntrl(c); }, ' ');
  return text;
}

void Findings::report(const std::string& place, const std::string& message) {
  errors.push_back(on_one_line(fmt::format("{}: {}", place, message)));
}

std::optional<YAML::Node> parse_document(const std::string& text, const Place& place,
                                         Findings& findings) {
  try {
    return load_document(text);
  } catch (const YAML::Exception& error) {
    findings.report(place(error.mark.line + 1), "not valid YAML: " + error.msg);
  }
  return std::nullopt;
}

template <typename Fields>
void read_document(const YAML::Node& root, const Place& place, Findings& findings, Fields& fields) {
  DocumentReader(place, findings).read(root, {"", line_of(root)}, {}, fields);
}

#define MOBILEONE_READS(Contents)                                                     \
  template void read_document(const YAML::Node&, const Place&, Findings&, Contents&); \
  template void read_document(const YAML::Node&, const Place&, Findings&, Document<Contents>&)

MOBILEONE_READS(Config);
MOBILEONE_READS(ScatterStudy);
MOBILEONE_READS(ActivationsStudy);
MOBILEONE_READS(BlocksStudy);
MOBILEONE_READS(BranchesStudy);

}  // namespace mobileone
