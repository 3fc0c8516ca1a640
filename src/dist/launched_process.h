#pragma once

#include <sys/types.h>

#include <csignal>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mobileone {

inline constexpr std::string_view kErrorMark = "mobileone: ";  // how the program begins its error

/// A process that the launcher started, while it runs and after. Killed with the launcher, or with
/// this.
class LaunchedProcess {
 public:
  /// Starts `command` with these variables beside our environment and this mask of signals. Throws
  /// Error where the system refuses.
  LaunchedProcess(int64_t rank, const std::vector<std::string>& command,
                  const std::map<std::string, std::string>& variables, const sigset_t& signals);
  ~LaunchedProcess();
  LaunchedProcess(const LaunchedProcess&) = delete;
  LaunchedProcess& operator=(const LaunchedProcess&) = delete;

  bool running() const { return !status_; }
  void signal(int signal) const;
  /// A descriptor that is readable when there is output to forward; -1 where no more will come.
  int output() const { return output_; }
  /// Shows what it wrote to standard error, a line at a time; its error is held back.
  void forward_output();
  /// Whether it ended since it was asked last.
  bool reap();

  // Once it ended:
  /// As a shell tells it: 128 + N where signal N killed it.
  int exit_status() const;
  /// Whether it saved and ended since a signal asked it to.
  bool stopped_orderly() const;
  std::string how_it_ended() const;

 private:
  int64_t rank_;
  pid_t pid_ = -1;
  int output_ = -1;            // a pipe
  std::string text_;           // of an unfinished line
  std::string last_error_;     // its own error line
  std::optional<int> status_;  // as of waitpid
};

}  // namespace mobileone
