#pragma once

#include <string>

namespace mobileone {

/// The words that this process was started by, as a shell takes them; "unknown" where the system
/// does not tell.
std::string command_line();

/// Seconds of processor time of this process, all its threads together.
double processor_seconds();

/// The most memory of this process that was resident at a time, MiB.
double peak_rss_mib();

}  // namespace mobileone
