#pragma once

#include <cerrno>
#include <utility>

#include "mobileone/util/error.h"

namespace mobileone {

/// The system refused what was asked of it, whatever the file holds.
class SystemError : public Error {
 public:
  /// `code` is what errno was; the message is formatted like `fmt::format`.
  template <typename... Args>
  explicit SystemError(int code, fmt::format_string<Args...> format, Args&&... args)
      : Error(format, std::forward<Args>(args)...), code_(code) {}

  int code() const { return code_; }

  /// Whether the same may succeed later: not where a file is missing or forbidden.
  bool may_pass() const {
    switch (code_) {
      case ENOENT:
      case ENOTDIR:
      case EISDIR:
      case EACCES:
      case EPERM:
      case ELOOP:
      case ENAMETOOLONG:
        return false;
      default:
        return true;
    }
  }

 private:
  int code_;
};

/// Whether an error is one that may pass.
inline bool may_pass(const Error& error) {
  const auto* of_system = dynamic_cast<const SystemError*>(&error);
  return of_system != nullptr && of_system->may_pass();
}

}  // namespace mobileone
