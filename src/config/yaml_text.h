#pragma once

#include <yaml-cpp/yaml.h>

#include <string>

namespace mobileone {

/// Parses a text that holds one YAML document at most; an empty text is null. Throws
/// YAML::ParserException where the text is no YAML or goes on after the document, which
/// `YAML::Load` ignores and on which `YAML::LoadAll` may never return (yaml-cpp 0.7: ",").
YAML::Node load_document(const std::string& text);

}  // namespace mobileone
