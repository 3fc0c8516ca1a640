#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

namespace mobileone {

/// What a user can cause and mend: one line that says what, where, what was expected and what to
/// do. The program prints it and exits with status 2. Anything else that is thrown is a fault of
/// ours.
class Error : public std::runtime_error {
 public:
  /// Formats like `fmt::format`.
  template <typename... Args>
  explicit Error(fmt::format_string<Args...> format, Args&&... args)
      : std::runtime_error(fmt::format(format, std::forward<Args>(args)...)) {}
};

}  // namespace mobileone
