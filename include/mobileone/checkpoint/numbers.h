#pragma once

#include <optional>
#include <string>

#include "mobileone/model/state_dict.h"

namespace mobileone {

/// What no network computes anything right with: numbers that are NaN or infinite, and running
/// variances that are negative, or zero in all channels of a batch norm (but in float16, where
/// small ones become that). In some channels zero is sound: what they see never changes, as where
/// the channel before is dead, of which published networks have hundreds. The first such tensor by
/// name, what is wrong with it, and how many more there are; nothing if all are sound.
std::optional<std::string> unsound_numbers(const StateDict& state);

}  // namespace mobileone
