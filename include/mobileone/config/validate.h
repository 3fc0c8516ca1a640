#pragma once

#include <string>
#include <vector>

#include "mobileone/config/config.h"

namespace mobileone {

/// Keys whose values, each in its range, do not go together; or one key that has a value or a
/// length beside the ones allowed.
struct Contradiction {
  std::vector<std::string> keys;  ///< as "section.key"
  std::string message;            ///< names the keys and their values
};

/// Every contradiction in `config`, in the order of its keys.
std::vector<Contradiction> find_contradictions(const Config& config);

/// Throws Error with every contradiction, one a line. For a configuration made in C++; the readers
/// check what they return.
void validate(const Config& config);

}  // namespace mobileone
