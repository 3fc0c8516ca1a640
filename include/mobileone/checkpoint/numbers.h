#pragma once

#include <optional>
#include <string>

#include "mobileone/model/state_dict.h"

namespace mobileone {

/// What no network computes anything right with: numbers that are NaN or infinite, and running
/// variances that are negative or zero (zero is sound in float16, where a small one becomes that).
/// The first such tensor by name, what is wrong with it, and how many more there are; nothing if
/// all are sound.
std::optional<std::string> unsound_numbers(const StateDict& state);

}  // namespace mobileone
