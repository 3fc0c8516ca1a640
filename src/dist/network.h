#pragma once

#include <chrono>
#include <string>

namespace mobileone {

/// Waits until something at that address accepts connections, and returns this machine's own
/// address towards it, as a number. Throws Error where the name or network is unknown, or nothing
/// has answered in time.
std::string wait_for_server(const std::string& address, int64_t port,
                            std::chrono::milliseconds timeout);

/// A port of this machine that was free just now.
int64_t free_port();

}  // namespace mobileone
