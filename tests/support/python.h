#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <string>

namespace mobileone {

/// The interpreter that scripts/setup.sh sets up for the tests.
inline const std::string kPython = MOBILEONE_SOURCE_DIR "/.deps/venv/bin/python";

/// Whether it is there and finds the modules, named as in an import statement.
inline bool python_has(const std::string& modules) {
  return std::system(fmt::format("'{}' -c 'import {}' 2>/dev/null", kPython, modules).c_str()) == 0;
}

}  // namespace mobileone
