#pragma once

#include <string_view>

namespace mobileone {

/// "0.2.0"
std::string_view version();

/// The git revision that the program was built from, with "-dirty" if files differed from it;
/// "unknown" outside a checkout.
std::string_view revision();

}  // namespace mobileone
