#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mobileone {

/// The exit status of a process that ended with an error that its user can mend.
inline constexpr int kUserStatus = 2;
/// The exit status of a process that ended because of another one of its run.
inline constexpr int kPeerStatus = 3;

struct LaunchOptions {
  int64_t processes = 1;
  int64_t restarts = 0;  ///< times that the run starts again after a process died
  /// Processes that a restart makes do with; 0: as many as at first.
  int64_t fewest = 0;
  /// The program and its arguments for an attempt, from 0.
  std::function<std::vector<std::string>(int64_t attempt)> command = {};
};

/// Runs so many processes of a program on this machine, each with its place in the environment
/// (place.h), and returns an exit status: 0 where all end so, otherwise that of the process which
/// failed first, 128 + N where signal N killed it. Where one fails, the others are stopped, and it
/// is named in a log line together with its error. SIGINT, SIGTERM, SIGHUP and SIGUSR1 are passed
/// on. What ranks other than 0 write to standard error is marked with their rank. Should this
/// process be killed, those that it started are, too.
///
/// A run whose process died of a signal or a fault of the program starts again if `restarts`
/// allows; one that ended with an error of the user's (status 2) does not. Throws Error where
/// processes cannot be started.
int launch(const LaunchOptions& options);

}  // namespace mobileone
