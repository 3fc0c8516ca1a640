#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace mobileone::log {

/// Log lines go to standard error, so that standard output stays for results. A warning is marked
/// as such; neither is ever printed over a progress line (see progress.h).
void write_info(const std::string& line);
void write_warning(const std::string& line);

/// From now on only warnings are written: for a process beside one that tells the same.
void only_warnings();

template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write_info(fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write_warning(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace mobileone::log
