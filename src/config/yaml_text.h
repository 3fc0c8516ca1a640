#pragma once

#include <yaml-cpp/yaml.h>

#include <string>

namespace mobileone {

/// Parses a text that holds one YAML document at most; an empty text is null. Throws
/// YAML::ParserException where the text
/// - is no YAML or goes on after the document, which `YAML::Load` ignores and on which
///   `YAML::LoadAll` may never return (yaml-cpp 0.7: ",");
/// - is no configuration by its size alone: nested deeper than 64 levels, or of more than 10,000
///   values, each alias counted as all that it stands for.
YAML::Node load_document(const std::string& text);

}  // namespace mobileone
