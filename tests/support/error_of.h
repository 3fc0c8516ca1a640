#pragma once

#include <concepts>
#include <string>

#include "mobileone/util/error.h"

namespace mobileone {

/// What Error `action` throws; empty where it throws none. Other exceptions go on and fail the
/// test.
template <std::invocable Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace mobileone
