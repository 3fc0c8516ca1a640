#pragma once

#include <string>
#include <vector>

#include "mobileone/config/config.h"

namespace mobileone {

/// A key that two configurations set differently.
struct ConfigDifference {
  std::string key;            ///< "section.key"
  std::string first, second;  ///< the values as YAML
  Scope scope;
};

/// In the order of the keys.
std::vector<ConfigDifference> differences(const Config& first, const Config& second);

}  // namespace mobileone
