#pragma once

#include <string>
#include <vector>

#include "mobileone/config/config.h"
#include "mobileone/config/reader.h"

namespace mobileone {

/// A key and its value.
struct ConfigValue {
  std::string section, name;
  std::string value;  ///< as YAML on one line
  Scope scope;
};

/// All of a configuration, in the order of its keys.
std::vector<ConfigValue> config_values(Config config);

/// The complete configuration as YAML, in the order of its keys; `parse_config` gives the same
/// values back, bit for bit.
std::string to_yaml(const Config& config);

/// `to_yaml` with a comment behind each value that says where it comes from: "# default",
/// "# configs/imagenet/recipe.yaml:12".
std::string to_yaml(const TracedConfig& traced);

/// The reference of all keys as Markdown: what docs/config.md holds.
std::string config_reference();

}  // namespace mobileone
