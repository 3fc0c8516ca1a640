#pragma once

#include <string>

#include "mobileone/config/config.h"

namespace mobileone {

/// The complete configuration as YAML, in the order of its keys; `parse_config` gives the same
/// values back, bit for bit.
std::string to_yaml(Config config);

/// The reference of all keys as Markdown: what docs/config.md holds.
std::string config_reference();

}  // namespace mobileone
