#pragma once

#include <yaml-cpp/yaml.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// Reading one YAML document into the structs of config.h, fault by fault.
namespace mobileone {

/// A file's top level: the sections of a `Config`, or of what else is read from YAML, and what it
/// inherits from.
template <typename Contents>
struct Document {
  std::string base;
  Contents config;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("base", base, {"The file that this one inherits from."});
    config.visit(v);
  }
};

/// `text` with a space for each control character.
std::string on_one_line(std::string text);

/// Where a key was last set, and whether its value could be read.
struct Setting {
  std::string place;
  bool valid = true;
};

/// What reading several documents has found.
struct Findings {
  std::vector<std::string> errors;                       ///< each one line
  std::map<std::string, Setting, std::less<>> settings;  ///< by "section.key"

  void report(const std::string& place, const std::string& message);
};

/// Names the place of a line, counted from 1: "recipe.yaml:7".
using Place = std::function<std::string(int line)>;

/// Parses a text; reports to `findings` what is no YAML, and returns none then.
std::optional<YAML::Node> parse_document(const std::string& text, const Place& place,
                                         Findings& findings);

/// Sets what `root` says in `fields`, a Config or a study's, or a Document of one, and leaves the
/// rest; a faulty value is reported to `findings` and leaves its field as it was.
template <typename Fields>
void read_document(const YAML::Node& root, const Place& place, Findings& findings, Fields& fields);

}  // namespace mobileone
