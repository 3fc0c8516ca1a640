#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "mobileone/export/package.h"

namespace mobileone {

using Attribute = std::variant<int64_t, std::string, std::vector<double>, std::vector<std::string>>;

/// What a consumer needs besides the network, by the names that it has in a file, so that no JSON
/// reader is asked of it.
std::vector<std::pair<std::string, Attribute>> attributes_of(const Package& package);

}  // namespace mobileone
