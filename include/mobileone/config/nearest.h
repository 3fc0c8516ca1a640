#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mobileone {

/// The candidate at the smallest edit distance (Levenshtein) from `name`, the first of equals; none
/// where more than half of the longer word would have to change.
std::optional<std::string_view> nearest(std::string_view name,
                                        const std::vector<std::string_view>& candidates);

/// The end of an error message: "; did you mean 'variant'?", or nothing if nothing is near.
std::string did_you_mean(std::string_view name, const std::vector<std::string_view>& candidates);

}  // namespace mobileone
